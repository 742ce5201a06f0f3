/** The commands and files of docs/deploy.md, so that tests can follow them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export const GUIDE = readFileSync(join(import.meta.dir, '../../../docs/deploy.md'), 'utf8')

/** The code blocks in this language, in order, without the indent of a list. */
export const blocks = (language: string): readonly string[] =>
  Array.from(
    GUIDE.matchAll(new RegExp(`^( *)\`\`\`${language}\n([^]*?)^ *\`\`\`$`, 'gm')),
    ([, indent, text]) => text!.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  )

/** The one code block in this language that contains `words`. */
export function block(language: string, words: string): string {
  const found = blocks(language).filter((text) => text.includes(words))
  if (found.length !== 1) throw new Error(`${found.length} blocks of ${language} with: ${words}`)
  return found[0]!
}
