/**
 * The user that the container's tracker runs as: the one it is started as, or, started as root, `USER_ID`, to
 * whom the volumes are given first.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
} from 'node:fs'
import { join } from 'node:path'
import { quotedWord } from '../text/printable.ts'
import { errorCode, systemReason } from '../text/system-errors.ts'

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants

/** Lower ones belong to the system. */
const LOWEST_ID = 1000
/** Bun cannot set a higher one. */
const HIGHEST_ID = 2 ** 31 - 1
/** With setgid, so that new files belong to the group. */
const DIRECTORY_MODE = 0o2770

class UserError extends Error {
  override readonly name = 'UserError'
}

/** One line of warning if the tracker can run all the same; throws `UserError` if it must not. */
export function takeUser(
  userId: string | undefined,
  volumes: readonly string[],
): string | undefined {
  const uid = process.getuid?.()
  // This system has no users.
  if (uid === undefined) return undefined
  const id = readId(userId)
  if (uid !== 0) return userId ? differs(uid, userId, id) : undefined
  if (id === undefined) throw new UserError('ERROR: USER_ID is not set, or less than 1000')
  const trouble = give(volumes, id)
  try {
    process.setgroups!([id])
    process.setgid!(id)
    process.setuid!(id)
  } catch (error) {
    throw new UserError(
      `cannot become user ${id} (${systemReason(error)}): start the container with --user ${id}:${id}, ` +
        'or leave it the capabilities CHOWN, DAC_OVERRIDE, FOWNER, SETGID and SETUID',
    )
  }
  return trouble
}

function readId(text: string | undefined): number | undefined {
  const id = text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  return id >= LOWEST_ID && id <= HIGHEST_ID ? id : undefined
}

function differs(uid: number, userId: string, id: number | undefined): string | undefined {
  if (id === uid || userId === String(uid)) return undefined
  const user = id === undefined ? '' : `start the container with --user ${id}:${id}, or `
  return `runs as user ${uid}, though USER_ID is ${quotedWord(userId)}: ${user}set USER_ID=${uid}`
}

/** undefined: the volumes belong to this user now; else the first thing that went wrong. */
function give(volumes: readonly string[], id: number): string | undefined {
  let trouble: string | undefined
  const attempt = (path: string, change: () => void): void => {
    try {
      change()
    } catch (error) {
      // A read-only mount keeps its owner.
      if (errorCode(error) !== 'EROFS')
        trouble ??= `cannot give ${path} to user ${id}: ${systemReason(error)}`
    }
  }
  /** `reached` leads to the same directory as `path`, and cannot be replaced by another meanwhile. */
  const giveAll = (path: string, reached: string): void =>
    attempt(path, () => {
      const directory = openSync(reached, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
      try {
        attempt(path, () => {
          const { uid, gid, mode } = fstatSync(directory)
          if (uid !== id || gid !== id) fchownSync(directory, id, id)
          if ((mode & 0o7777) !== DIRECTORY_MODE) fchmodSync(directory, DIRECTORY_MODE)
        })
        const inside = `/proc/self/fd/${directory}`
        for (const entry of readdirSync(inside, { withFileTypes: true })) {
          const [named, here] = [join(path, entry.name), join(inside, entry.name)]
          if (entry.isDirectory()) giveAll(named, here)
          // The link itself changes its owner, not its target, which anyone with write access may have set.
          else attempt(named, () => giveOne(here, id))
        }
      } finally {
        closeSync(directory)
      }
    })
  for (const volume of volumes) {
    attempt(volume, () => void mkdirSync(volume, { recursive: true }))
    giveAll(volume, volume)
  }
  return trouble
}

function giveOne(path: string, id: number): void {
  const { uid, gid } = lstatSync(path)
  if (uid !== id || gid !== id) lchownSync(path, id, id)
}
