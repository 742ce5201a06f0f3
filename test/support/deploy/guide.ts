/** The commands and files of the pages for operators, so that tests can follow them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export function pageOf(name: string) {
  const text = readFileSync(join(import.meta.dir, '../../../docs', name), 'utf8')
  /** The code blocks in this language, in order, without the indent of a list. */
  const blocks = (language: string): readonly string[] =>
    Array.from(
      text.matchAll(new RegExp(`^( *)\`\`\`${language}\n([^]*?)^ *\`\`\`$`, 'gm')),
      ([, indent, block]) => block!.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
    )
  /** The one code block in this language that contains `words`. */
  function block(language: string, words: string): string {
    const found = blocks(language).filter((text) => text.includes(words))
    if (found.length !== 1) throw new Error(`${found.length} blocks of ${language} with: ${words}`)
    return found[0]!
  }
  return { text, blocks, block }
}

export const { text: GUIDE, blocks, block } = pageOf('deploy.md')
