/** `tracker stats`. */
import { aligned, count } from '../text/figures.ts'
import { membersOf, textOf } from './api.ts'
import { type Call, printReply } from './command.ts'

export async function stats(call: Call): Promise<undefined> {
  const reply = await call.api.ask({ path: '/api/v1/stats' })
  printReply(call, reply, () => {
    const rows = Object.entries(membersOf(reply.value)).map(([name, value]) => [
      textOf(name),
      typeof value === 'number' ? count(value) : textOf(value),
    ])
    return `${aligned(rows, 1).join('\n')}\n`
  })
}
