/** `tracker keys`. */
import { isAuthKey, KEY_CHARACTERS } from '../bittorrent.ts'
import { EXIT } from '../cli/host.ts'
import { Misuse, numberValue } from '../cli/invocation.ts'
import { several } from '../text/figures.ts'
import { userIdOf } from './accounts.ts'
import { membersOf, numberOf, textOf } from './api.ts'
import { type Call, printList, printReply } from './command.ts'

/** The most that the API takes. */
const MOST_SECONDS = 8_200_000_000_000

export async function listKeys(call: Call): Promise<undefined> {
  await printList(call, '/api/v1/keys', { none: 'There are no keys.' }, (items) =>
    items.map((item) => `${keyText(item)}\n`).join(''),
  )
}

function keyText(item: unknown): string {
  const { key, expiry_time, account, user_id } = membersOf(item)
  const end = expiry_time === null ? 'never expires' : `until ${textOf(expiry_time)}`
  const user = user_id === null ? '' : `, user ${textOf(user_id)}`
  return `${textOf(key)}  ${end}${account === undefined ? '' : `  account ${textOf(account)}${user}`}`
}

export async function addKey(call: Call): Promise<undefined> {
  const { invocation } = call
  const [key = null] = invocation.arguments
  if (key !== null) checkKey(key)
  const seconds = numberValue(invocation, 'seconds', { min: 0, max: MOST_SECONDS }, null)
  if (invocation.options.has('never') === (seconds !== null))
    throw new Misuse('needs either --seconds, for which the key is valid, or --never')
  // undefined is left out: trackers of the reference do not know it.
  const body = { key, seconds_valid: seconds, user_id: userIdOf(invocation) }
  const reply = await call.api.ask({ method: 'POST', path: '/api/v1/keys', body })
  printReply(call, reply, () => `${keyText(reply.value)}\n`)
}

export async function removeKeys(call: Call): Promise<number | undefined> {
  const keys = call.invocation.arguments
  keys.forEach(checkKey)
  const path = '/api/v1/keys/bulk'
  const reply = await call.api.ask({ method: 'DELETE', path, body: { keys } })
  const removed = numberOf(membersOf(reply.value).count)
  const missing = new Set(keys).size - removed
  printReply(call, reply, () =>
    missing === 0
      ? `${several(removed, 'key')} removed.\n`
      : `${several(removed, 'key')} removed; ${several(missing, 'other')} did not exist.\n`,
  )
  return missing === 0 ? undefined : EXIT.failure
}

/** The key itself stays out of messages, which may end in a log. */
function checkKey(key: string): void {
  if (!isAuthKey(key))
    throw new Misuse(
      `a key has ${KEY_CHARACTERS} letters and digits, which one of the arguments has not`,
    )
}
