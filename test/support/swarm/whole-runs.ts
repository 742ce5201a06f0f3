/** What must be true of the allocator of runs between two changes; part of whole.ts. */
import {
  BATCH,
  BATCH_ORDER,
  RUN_GROUP_WORDS,
  RUN_MAPS,
  RUNS_HEADER,
  runTopWords,
} from '../../../src/swarm/layout.ts'

type Report = (ok: boolean, fault: string) => void

export type ReadRuns = {
  /** By unit below the high-water mark: who has it if it is not taken. */
  readonly owners: (string | undefined)[]
  /** Batches that are paid for. */
  readonly batches: number
}

export function readRuns(
  what: string,
  header: Int32Array,
  at: number,
  words: Int32Array,
  check: Report,
): ReadRuns {
  const high = header[at + RUNS_HEADER.high]!
  const tops = topWordsOf(words)
  check(high % BATCH === 0, `${what}: ${high} units`)
  const groups = (words.length - tops) / RUN_GROUP_WORDS
  let maps = 0
  const owners: (string | undefined)[] = []
  let batches = 0
  for (let group = 0; group < groups; group++) {
    const from = tops + group * RUN_GROUP_WORDS
    for (let map = 0; map < RUN_MAPS.count; map++) {
      const top = words[(group >>> 5) * RUN_MAPS.count + map]!
      const isNamed = ((top >>> (group & 31)) & 1) === 1
      check(isNamed === (words[from + map] !== 0), `${what}: map ${map} of group ${group} is lost`)
    }
    if (group * 32 * BATCH >= high && !words.subarray(from, from + RUN_GROUP_WORDS).some(Boolean))
      continue
    for (let i = 0; i < 32; i++) {
      const batch = group * 32 + i
      const isOn = (map: number) => ((words[from + map]! >>> i) & 1) === 1
      for (let map = 0; map < RUN_MAPS.count; map++) if (isOn(map)) maps |= 1 << map
      const [low, top] = words.subarray(from + RUN_MAPS.count + i * 2)
      const isUnpaid = isOn(RUN_MAPS.unpaid)
      if (isUnpaid || batch * BATCH >= high)
        check(low === 0 && top === 0, `${what}: batch ${batch} is free and not paid for`)
      check(!isUnpaid || batch * BATCH < high, `${what}: batch ${batch} lies beyond the end`)
      const { free, orders } = readUnits(low!, top!)
      for (let order = 0; order <= BATCH_ORDER; order++)
        check(isOn(order) === orders.has(order), `${what}: batch ${batch}, order ${order}`)
      if (batch * BATCH >= high) continue
      if (!isUnpaid) batches++
      for (const isFree of free)
        owners.push(isUnpaid ? 'the system' : isFree ? 'a free run' : undefined)
    }
  }
  check(header[at + RUNS_HEADER.maps] === maps, `${what}: maps ${maps}, says otherwise`)
  const taken = owners.filter((owner) => owner === undefined).length
  check(header[at + RUNS_HEADER.taken] === taken, `${what}: has taken ${taken}, says otherwise`)
  return { owners, batches }
}

type Units = { readonly free: readonly boolean[]; readonly orders: ReadonlySet<number> }
const known = new Map<string, Units>()

/** Which units of a batch are free, and the orders of the largest aligned runs that are all free. */
function readUnits(low: number, top: number): Units {
  const name = `${low} ${top}`
  const seen = known.get(name)
  if (seen) return seen
  const free = Array.from(
    { length: BATCH },
    (_, unit) => (((unit < 32 ? low : top) >>> (unit & 31)) & 1) === 1,
  )
  const orders = new Set<number>()
  const isFree = (base: number, order: number) =>
    free.slice(base, base + (1 << order)).every((unit) => unit)
  for (let order = 0; order <= BATCH_ORDER; order++)
    for (let base = 0; base < BATCH; base += 1 << order) {
      const wider = base - (base % (2 << order))
      if (isFree(base, order) && (order === BATCH_ORDER || !isFree(wider, order + 1)))
        orders.add(order)
    }
  const units = { free, orders }
  known.set(name, units)
  return units
}

/** The words say how many batches there can be, and so where the groups begin. */
export function topWordsOf(words: Int32Array): number {
  for (let groups = 1; ; groups++) {
    const tops = runTopWords(groups * 32)
    if (tops + groups * RUN_GROUP_WORDS === words.length) return tops
    if (tops + groups * RUN_GROUP_WORDS > words.length) throw new Error(`${words.length} words`)
  }
}
