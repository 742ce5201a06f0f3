/** `tracker reload`. */
import { listOf, membersOf, textOf } from './api.ts'
import { type Call, printReply } from './command.ts'

export async function reload(call: Call): Promise<undefined> {
  const reply = await call.api.ask({ method: 'POST', path: '/api/v1/reload' })
  printReply(call, reply, () => {
    const { applied, restart } = membersOf(reply.value)
    const blocks = [
      ...block('Applied:', listOf(applied)),
      ...block('Changed, but not before a restart:', listOf(restart)),
    ]
    return `${blocks.length === 0 ? 'Nothing has changed.' : blocks.join('\n')}\n`
  })
}

const block = (title: string, items: readonly unknown[]): readonly string[] =>
  items.length === 0 ? [] : [title, ...items.map((item) => `  ${textOf(item)}`)]
