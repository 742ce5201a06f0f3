/** Whether the database can be used. Nothing in it is created, migrated or locked. */
import { accessSync, constants, type Stats, statfsSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { DRIVER_NAMES, placeOf } from '../database/contract.ts'
import { connectBy, type Server, type ServerConfig } from '../database/session.ts'
import { size } from '../text/figures.ts'
import { oneLine } from '../text/printable.ts'
import { shellWord } from '../text/shell.ts'
import { Deadline, TooLate } from '../time/deadline.ts'
import { type Context, ok, problem, type Result, skipped, warning } from './finding.ts'

const WHY = 'The tracker does not start, or cannot store keys, whitelist and download counts.'

export async function database({ config, cwd, milliseconds, tracker }: Context): Promise<Result> {
  const setting = config.core.database
  if (setting === null) return skipped('none is configured: nothing is stored')
  if (setting.driver !== 'sqlite3') return await askServer(setting, milliseconds)
  const found = lookAtFile(placeOf(setting), resolve(cwd, setting.path))
  // How full the disk is does not depend on who asks.
  if (found.why !== WHY) return found
  const { isOurs, answer } = await tracker()
  const said = answer?.services.find(({ type }) => type === 'database')
  // The running tracker may be another user in another directory.
  return isOurs && said?.status === 'Ok'
    ? skipped(
        `${found.found}; the running tracker can use it: run this as its user, in its directory`,
      )
    : found
}

async function askServer(setting: ServerConfig, milliseconds: number): Promise<Result> {
  const { driver, port } = setting
  const server = await serverOf(setting)
  let reason: string
  try {
    const version = await logIn(server, milliseconds)
    return ok(`${placeOf(setting)}: ${DRIVER_NAMES[driver]} ${version} lets ${setting.user} in`)
  } catch (error) {
    reason =
      error instanceof TooLate
        ? `no answer within ${milliseconds / 1000} s`
        : oneLine(server.failureOf(error).reason)
  }
  const found = `${placeOf(setting)}: ${reason}`
  const [host, user, name] = [setting.host, setting.user, setting.database].map(shellWord)
  const attempt =
    driver === 'mysql'
      ? `mariadb --host=${host} --port=${port} --user=${user} --password ${name} -e 'SELECT 1'`
      : `psql --host=${host} --port=${port} --username=${user} --dbname=${name} -c 'SELECT 1'`
  const advice = /denied|authentication|password/i.test(reason)
    ? 'Are core.database.user and password right, and may that user come from this machine?'
    : reason.includes(`database "${setting.database}" does not exist`)
      ? `CREATE DATABASE ${setting.database};  # in the server's client, as a user who may create it`
      : 'Does the server run, are host and port right, and does it listen there (bind-address, listen_addresses)?'
  return problem(found, WHY, advice, attempt)
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
    return oneLine(String(row?.[0])).replace(/^PostgreSQL | on .*/g, '')
  } finally {
    session.destroy()
  }
}

/** Only the driver that is needed is loaded. */
const serverOf = async (config: ServerConfig): Promise<Server> =>
  config.driver === 'mysql'
    ? (await import('../database/mysql.ts')).mysqlServer(config)
    : (await import('../database/postgres.ts')).postgresServer(config)

/** With less free space than this a database may soon be impossible to write; with the second, at once. */
const LITTLE_BYTES = 1024 ** 3
const TOO_LITTLE_BYTES = 64 * 1024 ** 2

function lookAtFile(place: string, path: string): Result {
  const there = kindOf(path)
  const wrong = (what: string, advice: string) => problem(`${place}${what}`, WHY, advice)
  if (there?.isFile() === false) return wrong(' is not a file', 'Name one: core.database.path')
  const directory = existing(dirname(path))
  // No advice to change an existing directory, which may be shared.
  if (!may(directory, constants.W_OK | constants.X_OK))
    return wrong(
      `: this user may not write in ${directory}, where SQLite makes files beside the database`,
      directory === dirname(path)
        ? "Give the database a directory of its own that is the tracker's user's: core.database.path"
        : `install -d -o tracker -g tracker ${shellWord(dirname(path))}  # the tracker's user`,
    )
  if (there !== undefined && !may(path, constants.R_OK | constants.W_OK))
    return wrong(
      ': this user may not read and write it',
      `chown tracker: ${shellWord(path)}*  # the user that the tracker runs as`,
    )
  return lookAtDisk(`${place} ${there ? 'can be written' : 'will be created'}`, directory)
}

function lookAtDisk(found: string, directory: string): Result {
  const { bavail, bsize } = statfsSync(directory)
  const free = bavail * bsize
  const state = `${found}; ${size(free)} are free on its disk`
  if (free >= LITTLE_BYTES) return ok(state)
  const judge = free < TOO_LITTLE_BYTES ? problem : warning
  const word = shellWord(directory)
  return judge(
    state,
    'What cannot be written is kept in memory, and is lost when the tracker ends.',
    `df -h ${word}; du -xsh ${word}/* | sort -h`,
  )
}

const kindOf = (path: string): Stats | undefined => {
  try {
    return statSync(path)
  } catch {
    return undefined
  }
}

/** The directory itself, or the lowest one above it that exists. */
const existing = (directory: string): string =>
  kindOf(directory) || dirname(directory) === directory ? directory : existing(dirname(directory))

function may(path: string, mode: number): boolean {
  try {
    accessSync(path, mode)
    return true
  } catch {
    return false
  }
}
