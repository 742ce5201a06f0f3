/** THIRD-PARTY.md of an archive: the parts of the executable that are not ours, and their licences. */
import { LIBRARIES, POLYFILLS } from './bun-parts.ts'
import type { Package } from './packages.ts'
import { BUN_VERSION } from './platforms.ts'

/** @param commit of our own sources, if it is known */
export function notices(packages: readonly Package[], commit: string | undefined): string {
  return `# What the executable is made of

The tracker itself is free software under the AGPL-3.0-only (LICENSE). Its executable contains Bun ${BUN_VERSION},
which runs it, and the packages below.${commit === undefined ? '' : ` Its source is commit \`${commit}\`.`}

## Bun ${BUN_VERSION} (MIT)

<https://bun.com>, <https://github.com/oven-sh/bun/tree/bun-v${BUN_VERSION}>

${MIT}

Bun says in the \`LICENSE.md\` of its sources that it links these libraries statically:

| library | licence | source |
| ------- | ------- | ------ |
${LIBRARIES.map(({ name, licence, url }) => `| ${name} | ${licence} | <${url}> |`).join('\n')}

JavaScriptCore and tinycc are under the GNU Library and Lesser General Public Licence, whose texts are in
\`licences/\`. You may change and relink them: <https://github.com/oven-sh/bun/blob/bun-v${BUN_VERSION}/LICENSE.md>
says how to build Bun with a changed WebKit, and \`bun build.ts\`, run by that Bun, builds the tracker with it.

It also contains these packages of the npm registry, under the MIT licence:
${POLYFILLS.join(', ')}.

Its module resolver, CSS lexer and transpiler follow those of esbuild, <https://github.com/evanw/esbuild> (MIT).
${packages.map(notice).join('')}`
}

const notice = ({ name, version, licence, homepage, licenceText }: Package): string => `
## ${name} ${version} (${licence})

${homepage ?? `https://www.npmjs.com/package/${name}`}

${licenceText
  .trim()
  .split(/\r?\n/)
  .map((line) => `    ${line}`.trimEnd())
  .join('\n')}
`

const MIT = `    Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
    associated documentation files (the "Software"), to deal in the Software without restriction,
    including without limitation the rights to use, copy, modify, merge, publish, distribute,
    sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
    furnished to do so, subject to the following conditions:

    The above copyright notice and this permission notice shall be included in all copies or
    substantial portions of the Software.

    THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
    NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
    NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
    DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT
    OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`
