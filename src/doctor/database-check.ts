/** Whether the database can be used. Nothing is created, migrated or locked there. */
import { constants, type Stats } from 'node:fs'
import { access, open, stat, statfs } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { DatabaseConfig } from '../config/model.ts'
import { DRIVER_NAMES } from '../database/contract.ts'
import { placeOf } from '../database/faults.ts'
import { size } from '../text/figures.ts'
import { shellWord } from '../text/shell.ts'
import { knock } from './database-server.ts'
import { type Check, type Found, ok, problem, skipped, warning } from './finding.ts'
import { isOurs } from './listeners.ts'

export const database: Check = {
  name: 'database',
  async run({ config, cwd, milliseconds, tracker }) {
    const setting = config.core.database
    if (setting === null) return skipped('none is configured: nothing is kept')
    if (setting.driver !== 'sqlite3') return await askServer(setting, milliseconds)
    const found = await lookAtFile(placeOf(setting), resolve(cwd, setting.path))
    // It has its own rights, and its own directory to start from.
    return found.status === 'problem' && isOurs(await tracker(), config)
      ? skipped(
          `${found.found}; but the tracker that runs says it is well: run this as its user, in its directory`,
        )
      : found
  },
}

async function askServer(
  setting: DatabaseConfig & { readonly driver: 'mysql' | 'postgresql' },
  milliseconds: number,
): Promise<Found> {
  const place = placeOf(setting)
  const [host, user, name] = [setting.host, setting.user, setting.database].map(shellWord)
  const answer = await knock(setting, milliseconds)
  if ('server' in answer) return ok(`${place}: ${answer.server}`)
  const trouble = `${place}: ${answer.trouble}`
  if (/does not exist/.test(answer.trouble) && answer.trouble.includes(setting.database))
    return problem(trouble, `CREATE DATABASE ${setting.database}; as a user of the server who may`)
  return problem(
    trouble,
    /denied|authentication|password/i.test(answer.trouble)
      ? 'Are core.database.user and password right, and may that user come from this machine?'
      : `Is ${DRIVER_NAMES[setting.driver]} running, and are core.database.host and port right? Does it listen on that address (bind-address, listen_addresses), does a firewall let the tracker through?`,
    setting.driver === 'mysql'
      ? `mariadb --host=${host} --port=${setting.port} --user=${user} --password ${name} -e 'SELECT 1'`
      : `psql --host=${host} --port=${setting.port} --username=${user} --dbname=${name} -c 'SELECT 1'`,
  )
}

/** Free space below which a database soon cannot be written. */
const LITTLE_BYTES = 1024 ** 3
const NONE_BYTES = 64 * 1024 ** 2

/** What every SQLite file begins with. */
const MAGIC = 'SQLite format 3\0'

async function lookAtFile(place: string, path: string): Promise<Found> {
  const there = await kindOf(path)
  if (there?.isDirectory())
    return problem(`${place} is a directory`, 'Name a file in it: core.database.path')
  if (there !== undefined && !there.isFile())
    return problem(`${place} is a device or the like`, 'Name a file: core.database.path')
  const directory = await nearest(dirname(path))
  if ((await kindOf(directory))?.isFile())
    return problem(
      `${place}: ${directory} is a file, and no directory can be made below it`,
      'Name another directory in core.database.path.',
    )
  const isMissing = directory !== dirname(path)
  const missing = isMissing ? ` (${dirname(path)} is not there yet)` : ''
  if (!(await may(directory, constants.W_OK | constants.X_OK)))
    return problem(
      `${place}: this user may not write in ${directory}${missing}; SQLite makes files beside the database`,
      // Never the directory above, which may be everybody's.
      ...(isMissing
        ? [
            `install -d -o tracker -g tracker ${shellWord(dirname(path))}  # the user that the tracker runs as`,
          ]
        : [
            'Put the database into a directory of its own that belongs to the user the tracker runs as: core.database.path',
          ]),
    )
  if (there !== undefined) {
    if (!(await may(path, constants.R_OK | constants.W_OK)))
      return problem(
        `${place}: this user may not read and write it`,
        `chown tracker: ${shellWord(path)}*  # the user that the tracker runs as`,
      )
    const begin = await beginOf(path)
    if (begin !== '' && begin !== MAGIC)
      return problem(
        `${place} is no SQLite database`,
        'Name another file in core.database.path, or move this one away.',
      )
  }
  return await lookAtDisk(place, directory, there === undefined)
}

/** By the numbers that Linux gives them: locks and shared memory do not work there as SQLite needs them. */
const NETWORK_DISKS: Readonly<Record<number, string>> = {
  26985: 'NFS',
  4283649346: 'SMB',
  4266872130: 'SMB',
  20859: 'SMB',
}

async function lookAtDisk(place: string, directory: string, isNew: boolean): Promise<Found> {
  const { bavail, bsize, ffree, files, type } = await statfs(directory)
  const free = bavail * bsize
  const told = isNew ? `${place} will be created` : `${place} can be written`
  const network = NETWORK_DISKS[type]
  const makeRoom = `df -h ${shellWord(directory)}; du -xsh ${shellWord(directory)}/* | sort -h`
  if (network !== undefined)
    return warning(
      `${told}, but lies on a network disk (${network}): SQLite may lose what it wrote there`,
      'Put core.database.path on a disk of this machine, or use a database server.',
    )
  // Some file systems do not count their files.
  if (files > 0 && ffree === 0)
    return problem(`${told}, but the disk of ${directory} can hold no further file`, makeRoom)
  if (free < NONE_BYTES)
    return problem(`${told}, but only ${size(free)} are free on the disk of ${directory}`, makeRoom)
  if (free < LITTLE_BYTES)
    return warning(`${told}; only ${size(free)} are free on the disk of ${directory}`, makeRoom)
  return ok(`${told}; ${size(free)} are free on its disk`)
}

async function kindOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path)
  } catch {
    return undefined
  }
}

/** The directory, or the one above it in which it would be made. */
async function nearest(directory: string): Promise<string> {
  const there = await kindOf(directory)
  return there !== undefined || dirname(directory) === directory
    ? directory
    : await nearest(dirname(directory))
}

const may = (path: string, mode: number): Promise<boolean> =>
  access(path, mode).then(
    () => true,
    () => false,
  )

/**
 * Its first bytes. Reading the file takes no lock; closing it drops only locks of this process, which
 * has none.
 */
async function beginOf(path: string): Promise<string> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(MAGIC.length), 0, MAGIC.length, 0)
  return buffer.toString('latin1', 0, bytesRead)
}
