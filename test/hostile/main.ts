/**
 * `bun test/hostile/main.ts [SECONDS] [EXECUTABLE]`: ten minutes, or as long as is said, of mixed hostile traffic
 * against the tracker, of the source or an executable. Prints what was sent and what became of it; ends with 1
 * when something promised was not kept.
 */
import { resolve } from 'node:path'
import { source } from '../support/e2e/program.ts'
import { siege } from '../support/hostile/siege.ts'

const [seconds = '600', executable] = process.argv.slice(2)
const program = executable === undefined ? source : () => [resolve(executable)]
const { table, failures } = await siege(program, Number(seconds))
console.log(table)
for (const failure of failures) console.log(`FAILED: ${failure}`)
process.exit(failures.length === 0 ? 0 : 1)
