/**
 * The closed list of reasons for which the tracker itself refuses a well-formed announce, and the
 * words a client is told. A closed list is also a bounded set of metric labels.
 */
export const REFUSALS = {
  full: 'tracker is full, come back later',
} as const

export type Refusal = keyof typeof REFUSALS
