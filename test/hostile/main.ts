/**
 * `bun test/hostile/main.ts [SECONDS] [EXECUTABLE]`: mixed hostile traffic, for ten minutes by default, against the
 * tracker from the source or an executable. Prints what was sent and how the tracker fared; exits with 1 if a promise
 * of docs/security.md was broken.
 */
import { resolve } from 'node:path'
import { source } from '../support/e2e/program.ts'
import { siege } from '../support/hostile/siege.ts'

const [seconds = '600', executable] = process.argv.slice(2)
if (!/^[1-9]\d{0,5}$/.test(seconds)) {
  console.error('usage: bun test/hostile/main.ts [SECONDS] [EXECUTABLE]')
  process.exit(2)
}
const program = executable === undefined ? source : () => [resolve(executable)]
const { table, failures } = await siege(program, Number(seconds))
console.log(table)
for (const failure of failures) console.log(`FAILED: ${failure}`)
process.exit(failures.length === 0 ? 0 : 1)
