/** Whether the database can be used. Nothing in it is created, migrated or locked. */
import { constants, type Stats } from 'node:fs'
import { access, open, stat, statfs } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { DRIVER_NAMES, placeOf } from '../database/contract.ts'
import { connectBy, type Server, type ServerConfig } from '../database/session.ts'
import { size } from '../text/figures.ts'
import { oneLine } from '../text/printable.ts'
import { shellWord } from '../text/shell.ts'
import { Deadline, TooLate } from '../time/deadline.ts'
import { type Check, ok, problem, type Result, skipped, warning } from './finding.ts'
import { isOurs } from './listeners.ts'

export const database: Check = {
  name: 'database',
  async run({ config, cwd, milliseconds, tracker }) {
    const setting = config.core.database
    if (setting === null) return skipped('none is configured: nothing is stored')
    if (setting.driver !== 'sqlite3') return await askServer(setting, milliseconds)
    const found = await lookAtFile(placeOf(setting), resolve(cwd, setting.path))
    // The running tracker may be another user in another directory.
    return found.status === 'problem' && isOurs(await tracker(), config)
      ? skipped(
          `${found.found}; but the running tracker says that it can use it: run this as its user, in its directory`,
        )
      : found
  },
}

async function askServer(setting: ServerConfig, milliseconds: number): Promise<Result> {
  const place = placeOf(setting)
  const [host, user, name] = [setting.host, setting.user, setting.database].map(shellWord)
  const server = await serverOf(setting)
  let reason: string
  try {
    const version = await logIn(server, milliseconds)
    return ok(
      `${place}: ${DRIVER_NAMES[setting.driver]} answers, and lets ${setting.user} in (${version})`,
    )
  } catch (error) {
    reason =
      error instanceof TooLate
        ? `no answer within ${milliseconds / 1000} s`
        : oneLine(server.failureOf(error).reason)
  }
  const trouble = `${place}: ${reason}`
  if (/does not exist/.test(reason) && reason.includes(setting.database))
    return problem(
      trouble,
      `CREATE DATABASE ${setting.database}; as a user of the server who may create it`,
    )
  return problem(
    trouble,
    /denied|authentication|password/i.test(reason)
      ? 'Are core.database.user and password right, and may that user come from this machine?'
      : `Is ${DRIVER_NAMES[setting.driver]} running, and are core.database.host and port right? Does it listen on that address (bind-address, listen_addresses), does a firewall let the tracker through?`,
    setting.driver === 'mysql'
      ? `mariadb --host=${host} --port=${setting.port} --user=${user} --password ${name} -e 'SELECT 1'`
      : `psql --host=${host} --port=${setting.port} --username=${user} --dbname=${name} -c 'SELECT 1'`,
  )
}

/**
 * Logs in with the driver's own connection and returns the server's version. Opening a database would bring its
 * tables up to date; this does not.
 */
async function logIn(server: Server, milliseconds: number): Promise<string> {
  const deadline = Deadline.in(milliseconds)
  const session = await connectBy(deadline, server, milliseconds, milliseconds)
  try {
    const [row] = await deadline.run(() => session.rows('SELECT version()'))
    await deadline.run(() => session.end())
    return oneLine(String(row?.[0]))
  } finally {
    session.destroy()
  }
}

/** Only the driver that is needed is loaded. */
const serverOf = async (config: ServerConfig): Promise<Server> =>
  config.driver === 'mysql'
    ? new (await import('../database/mysql.ts')).MysqlServer(config)
    : new (await import('../database/postgres.ts')).PostgresServer(config)

/** With less free space than this a database may soon be impossible to write; with the second, at once. */
const LITTLE_BYTES = 1024 ** 3
const TOO_LITTLE_BYTES = 64 * 1024 ** 2

/** The first bytes of every SQLite file. */
const MAGIC = 'SQLite format 3\0'

async function lookAtFile(place: string, path: string): Promise<Result> {
  const there = await kindOf(path)
  if (there?.isDirectory())
    return problem(`${place} is a directory`, 'Name a file in it: core.database.path')
  if (there !== undefined && !there.isFile())
    return problem(`${place} is neither a file nor a directory`, 'Name a file: core.database.path')
  const directory = await existing(dirname(path))
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
      // No advice to change an existing directory, which may be shared.
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
    const magic = await firstBytes(path)
    if (magic !== '' && magic !== MAGIC)
      return problem(
        `${place} is not an SQLite database`,
        'Name another file in core.database.path, or move this one away.',
      )
  }
  return await lookAtDisk(place, directory, there === undefined)
}

/**
 * Network file systems by Linux's numbers for them: locks and shared memory do not work there as SQLite needs them.
 */
const NETWORK_DISKS: Readonly<Record<number, string>> = {
  26985: 'NFS',
  4283649346: 'SMB',
  4266872130: 'SMB',
  20859: 'SMB',
}

async function lookAtDisk(place: string, directory: string, isNew: boolean): Promise<Result> {
  const { bavail, bsize, ffree, files, type } = await statfs(directory)
  const free = bavail * bsize
  const state = isNew ? `${place} will be created` : `${place} can be written`
  const network = NETWORK_DISKS[type]
  const makeRoom = `df -h ${shellWord(directory)}; du -xsh ${shellWord(directory)}/* | sort -h`
  if (network !== undefined)
    return warning(
      `${state}, but is on a network disk (${network}): SQLite may lose data there`,
      'Put core.database.path on a disk of this machine, or use a database server.',
    )
  // `files` is 0 on file systems that do not count files.
  if (files > 0 && ffree === 0)
    return problem(`${state}, but the disk of ${directory} cannot hold another file`, makeRoom)
  if (free < TOO_LITTLE_BYTES)
    return problem(
      `${state}, but only ${size(free)} are free on the disk of ${directory}`,
      makeRoom,
    )
  if (free < LITTLE_BYTES)
    return warning(`${state}; only ${size(free)} are free on the disk of ${directory}`, makeRoom)
  return ok(`${state}; ${size(free)} are free on its disk`)
}

async function kindOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path)
  } catch {
    return undefined
  }
}

/** The directory itself, or the lowest one above it that exists. */
async function existing(directory: string): Promise<string> {
  const there = await kindOf(directory)
  return there !== undefined || dirname(directory) === directory
    ? directory
    : await existing(dirname(directory))
}

const may = (path: string, mode: number): Promise<boolean> =>
  access(path, mode).then(
    () => true,
    () => false,
  )

/** Safe beside a running tracker: reading takes no lock, and closing drops only locks of this process, which has none. */
async function firstBytes(path: string): Promise<string> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(MAGIC.length), 0, MAGIC.length, 0)
  return buffer.toString('latin1', 0, bytesRead)
}
