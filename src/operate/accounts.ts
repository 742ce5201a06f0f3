/** `tracker accounts`: who moved how much. */
import { type Invocation, Misuse, numberValue, optionValue } from '../cli/invocation.ts'
import { aligned, count, duration, rounded, several, size } from '../text/figures.ts'
import { quotedWord } from '../text/printable.ts'
import { type Json, listOf, membersOf, numberOf, textOf } from './api.ts'
import { type Call, printList, printReply } from './command.ts'

const DEFAULT_LIMIT = 50
const MOST = 2 ** 32 - 1
const MOST_I64 = 2n ** 63n - 1n

const HEAD = ['account', 'user', 'uploaded', 'downloaded', 'ratio', 'seeding', 'leeching', 'seen']

export async function listAccounts(call: Call): Promise<undefined> {
  const { invocation } = call
  const limit = numberValue(invocation, 'limit', { min: 1, max: MOST }, DEFAULT_LIMIT)
  const sort = optionValue(invocation, 'sort') ?? 'id'
  let isFirst = true
  const none = 'There are no accounts.'
  await printList(call, `/api/v1/accounts?sort=${sort}`, { limit, none }, (items) => {
    const head = isFirst ? [HEAD] : []
    isFirst = false
    return `${aligned([...head, ...items.map(row)], 2).join('\n')}\n`
  })
}

function row(item: unknown): readonly string[] {
  const account = membersOf(item)
  return [
    textOf(account.id),
    textOf(account.user_id ?? '-'),
    size(numberOf(account.credited_uploaded)),
    size(numberOf(account.credited_downloaded)),
    ratioText(account),
    count(numberOf(account.seeding)),
    count(numberOf(account.leeching)),
    moment(account.last_seen),
  ]
}

const ratioText = ({ ratio }: Json): string =>
  typeof ratio === 'number' ? `${rounded(ratio, 2)}` : '-'

/** `2026-11-28 03:00 UTC` */
function moment(second: unknown): string {
  const date = new Date(numberOf(second) * 1_000)
  if (second === null || Number.isNaN(date.getTime())) return 'never'
  return `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`
}

export async function showAccount(call: Call): Promise<undefined> {
  const { api, invocation } = call
  const limit = numberValue(invocation, 'limit', { min: 1, max: MOST }, DEFAULT_LIMIT)
  const path = pathOf(call)
  const account = await api.ask({ path })
  const records = await api.ask({ path: `${path}/records?limit=${limit}` })
  const all = {
    text: `{"account":${account.text},"records":${records.text}}`,
    value: undefined,
  }
  printReply(call, all, () => accountText(membersOf(account.value), listOf(records.value)))
}

function accountText(account: Json, records: readonly unknown[]): string {
  const { user_id, max_downloads, max_peers, free_until } = account
  const number = (name: string): number => numberOf(account[name])
  const moved = (up: string, down: string): string =>
    `${size(number(up))} up, ${size(number(down))} down`
  const most = (value: unknown, noun: string): string[] =>
    typeof value !== 'number'
      ? []
      : [value === 0 ? `any ${noun}s` : `${several(value, noun)} at most`]
  const settings = [
    ...(account.enabled === false ? ['switched off'] : []),
    ...(account.can_download === false ? ['may not download'] : []),
    `credited ${number('up_percent')} % of uploads, ${number('down_percent')} % of downloads`,
    ...(free_until === null ? [] : [`downloads free until ${moment(free_until)}`]),
    ...most(max_downloads, 'download'),
    ...most(max_peers, 'client'),
    ...(account.hidden === true ? ['hidden'] : []),
  ]
  const lines = aligned(
    [
      ['account', `${textOf(account.id)}${user_id === null ? '' : `, user ${textOf(user_id)}`}`],
      [
        'credited',
        `${moved('credited_uploaded', 'credited_downloaded')}, ratio ${ratioText(account)}`,
      ],
      ['moved', moved('uploaded', 'downloaded')],
      ['seeded', duration(number('seed_seconds'))],
      ['completed', several(number('snatches'), 'torrent')],
      ['now', `seeding ${count(number('seeding'))}, leeching ${count(number('leeching'))}`],
      ['last seen', moment(account.last_seen)],
      ['settings', settings.join(', ')],
    ],
    2,
  )
  const table =
    records.length > 0 ? ['', ...aligned([RECORD_HEAD, ...records.map(recordRow)], 2)] : []
  return [...lines, ...table, ''].join('\n')
}

const RECORD_HEAD = ['torrent', 'state', 'uploaded', 'downloaded', 'seeded', 'seen']

function recordRow(item: unknown): readonly string[] {
  const record = membersOf(item)
  const side = record.seeder === true ? 'seeding' : 'leeching'
  return [
    textOf(record.info_hash),
    record.active === true ? side : 'gone',
    size(numberOf(record.credited_uploaded)),
    size(numberOf(record.credited_downloaded)),
    duration(numberOf(record.seed_seconds)),
    moment(record.last_seen),
  ]
}

export async function adjustAccount(call: Call): Promise<undefined> {
  const { api, invocation } = call
  const path = pathOf(call)
  const body = {
    credited_uploaded: amount(invocation, 'uploaded'),
    credited_downloaded: amount(invocation, 'downloaded'),
    reason: optionValue(invocation, 'reason') ?? '',
  }
  if ((body.credited_uploaded ?? body.credited_downloaded) === undefined)
    throw new Misuse('needs --uploaded or --downloaded, in bytes')
  if (body.reason === '') throw new Misuse('needs a --reason, which the log will have')
  const reply = await api.ask({ method: 'POST', path: `${path}/adjust`, body })
  printReply(call, reply, () => accountText(membersOf(reply.value), []))
}

/** Bytes; undefined: not given. Throws `Misuse`. */
function amount(invocation: Invocation, name: string): bigint | undefined {
  const text = optionValue(invocation, name)
  if (text === undefined) return undefined
  const value = /^[+-]?\d{1,19}$/.test(text) ? BigInt(text.replace('+', '')) : MOST_I64 + 1n
  if (value >= -MOST_I64 && value <= MOST_I64) return value
  throw new Misuse(`--${name} must be a whole number of bytes, not ${quotedWord(text)}`)
}

/** Of the account that is named by our number, or by that of its user. Throws `Misuse`. */
function pathOf({ invocation }: Call): string {
  const user = userIdOf(invocation)
  const [id] = invocation.arguments
  if ((user === undefined) === (id === undefined))
    throw new Misuse('needs either the number of an account or --user-id')
  if (user !== undefined) return `/api/v1/user/${user}`
  if (/^\d{1,15}$/.test(id!)) return `/api/v1/account/${id}`
  throw new Misuse(`${quotedWord(id!)} is no number of an account`)
}

/** undefined: not given. Throws `Misuse`. */
export function userIdOf(invocation: Invocation): bigint | undefined {
  const text = optionValue(invocation, 'user-id')
  if (text === undefined) return undefined
  const id = /^\d{1,19}$/.test(text) ? BigInt(text) : MOST_I64 + 1n
  if (id <= MOST_I64) return id
  throw new Misuse(
    `--user-id must be a whole number from 0 to ${MOST_I64}, not ${quotedWord(text)}`,
  )
}
