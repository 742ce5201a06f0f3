/** Ends at once, unless a deadline whose work is done keeps it; and not before one whose work hangs. */
import { Deadline } from '../../../src/time/deadline.ts'

const HOUR = 3_600_000
console.log(await Deadline.in(HOUR).run(async () => 'in time'))
console.log(await Deadline.in(HOUR).waitFor(Promise.resolve()))
const hanging = new Promise<string>(() => undefined)
console.log(
  await Deadline.in(50)
    .run(() => hanging)
    .catch(() => 'late'),
)
