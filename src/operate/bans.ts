/** `tracker bans`. */
import { Misuse } from '../cli/invocation.ts'
import { aligned, count, several } from '../text/figures.ts'
import { quotedWord } from '../text/printable.ts'
import { parseIp } from '../wire/address.ts'
import { membersOf, numberOf, textOf } from './api.ts'
import { type Call, printList, printReply } from './command.ts'

export async function listBans(call: Call): Promise<undefined> {
  const none = 'No address sent a wrong connection id since the last reset.'
  await printList(call, '/api/v1/bans', { none }, (items) => {
    const rows = items.map((item) => {
      const { address, errors, banned } = membersOf(item)
      return [textOf(address), several(numberOf(errors), 'error'), banned === true ? 'banned' : '']
    })
    return `${aligned(rows, 3).join('\n')}\n`
  })
}

export async function liftBans(call: Call): Promise<undefined> {
  const { api, invocation } = call
  const isAll = invocation.options.has('all')
  if (isAll === invocation.arguments.length > 0) throw new Misuse('needs either addresses or --all')
  for (const one of invocation.arguments)
    if (parseIp(one.replace(/\/64$/, '')) === undefined)
      throw new Misuse(`${quotedWord(one)} is no IP address, nor the /64 of one`)
  const paths = isAll ? [''] : invocation.arguments.map((one) => `/${encodeURIComponent(one)}`)
  let lifted = 0
  for (const path of paths) {
    const reply = await api.ask({ method: 'DELETE', path: `/api/v1/bans${path}` })
    lifted += numberOf(membersOf(reply.value).count)
  }
  const value = { status: 'ok', count: lifted }
  printReply(call, { text: JSON.stringify(value), value }, () => {
    const others = isAll ? 0 : paths.length - lifted
    const rest = others === 0 ? '' : ` ${several(others, 'other')} had none.`
    return `The errors of ${lifted === 1 ? '1 address' : `${count(lifted)} addresses`} are forgotten.${rest}\n`
  })
}
