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
  type Stats,
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

/** One line of warning if the tracker can run all the same; throws if it must not. */
export function takeUser(
  userId: string | undefined,
  volumes: readonly string[],
): string | undefined {
  const uid = process.getuid?.()
  if (uid !== 0)
    return !userId || userId === String(uid)
      ? undefined
      : `runs as user ${uid}, though USER_ID is ${quotedWord(userId)}: ` +
          `start the container with --user, or set USER_ID=${uid}`
  const id = /^\d{4,10}$/.test(userId ?? '') ? Number(userId) : 0
  if (id < LOWEST_ID || id > HIGHEST_ID)
    throw new Error('ERROR: USER_ID is not set, or less than 1000')
  const trouble = give(volumes, id)
  try {
    process.setgroups!([id])
    process.setgid!(id)
    process.setuid!(id)
  } catch (error) {
    throw new Error(
      `cannot become user ${id} (${systemReason(error)}): start the container with --user ${id}:${id}, ` +
        'or leave it the capabilities CHOWN, DAC_OVERRIDE, FOWNER, SETGID and SETUID',
    )
  }
  return trouble
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
  const isOurs = ({ uid, gid }: Stats): boolean => uid === id && gid === id
  /** `reached` leads to the same file as `path`, past directories that cannot be replaced meanwhile. */
  const giveAll = (path: string, reached = path): void =>
    attempt(path, () => {
      const before = lstatSync(reached)
      // A link itself changes its owner, not its target, which anyone with write access may have set.
      if (!before.isDirectory()) return isOurs(before) ? undefined : lchownSync(reached, id, id)
      const directory = openSync(reached, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
      try {
        attempt(path, () => {
          if (!isOurs(fstatSync(directory))) fchownSync(directory, id, id)
          if ((before.mode & 0o7777) !== DIRECTORY_MODE) fchmodSync(directory, DIRECTORY_MODE)
        })
        const inside = `/proc/self/fd/${directory}`
        for (const name of readdirSync(inside)) giveAll(join(path, name), join(inside, name))
      } finally {
        closeSync(directory)
      }
    })
  for (const volume of volumes) {
    attempt(volume, () => void mkdirSync(volume, { recursive: true }))
    giveAll(volume)
  }
  return trouble
}
