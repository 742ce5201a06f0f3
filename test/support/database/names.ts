/** Names of writes for tests (`BatchName`). */
import { randomKey } from '../../../src/access/keys.ts'
import type { BatchName } from '../../../src/accounting/batch.ts'

/** The first write of a writer of its own: it may be done at the same time as any other. */
export const newName = (): BatchName => ({ writer: randomKey(), number: 1 })
