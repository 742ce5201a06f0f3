/** What docs/deploy.md tells its readers to type or to write into files, so that tests can do it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export const GUIDE = readFileSync(join(import.meta.dir, '../../../docs/deploy.md'), 'utf8')

/** The blocks in this language, in order, without the indent that a list gives them. */
export const blocks = (language: string): readonly string[] =>
  Array.from(
    GUIDE.matchAll(new RegExp(`^( *)\`\`\`${language}\n([^]*?)^ *\`\`\`$`, 'gm')),
    ([, indent, text]) => text!.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  )

/** The only block in this language with these words in it. */
export function block(language: string, words: string): string {
  const found = blocks(language).filter((text) => text.includes(words))
  if (found.length !== 1) throw new Error(`${found.length} blocks of ${language} with: ${words}`)
  return found[0]!
}
