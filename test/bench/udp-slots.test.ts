import { expect, test } from 'bun:test'
import { UdpClientSlots } from '../../src/bench/udp-slots.ts'

const LENGTHS = [16, 98, 36]

/** Takes a slot for each kind; returns the transaction ids. */
function takeAll(slots: UdpClientSlots, kinds: readonly number[]): number[] {
  slots.beginBatch()
  return kinds.map((kind) => slots.transactionOf(slots.take(kind, 0)))
}

test('every request in flight has its own memory and transaction id', () => {
  const slots = new UdpClientSlots(256, LENGTHS, 0xffff_ffff)
  const kinds = Array.from({ length: 256 }, (_, i) => i % 3)
  const transactions = takeAll(slots, kinds)
  expect([slots.free, slots.inFlight]).toEqual([0, 256])
  expect(new Set(transactions).size).toBe(256)
  expect(slots.batch.map(({ length }) => length)).toEqual(kinds.map((kind) => LENGTHS[kind]!))
  for (const view of slots.batch) view.fill(view[0]! + 1)
  // No byte was written twice.
  expect(slots.batch.every((view) => view.every((byte) => byte === 1))).toBe(true)
  for (const [i, transaction] of transactions.entries())
    expect(slots.kinds[slots.slotOf(transaction)]).toBe(kinds[i]!)
})

test('a transaction id is valid once, and not for the next request in its slot', () => {
  const slots = new UdpClientSlots(1, LENGTHS, 7)
  const [first] = takeAll(slots, [1])
  expect(slots.slotOf(first!)).toBe(0)
  slots.release(0)
  expect(slots.slotOf(first!)).toBe(-1)
  const [second] = takeAll(slots, [1])
  expect(second).not.toBe(first)
  expect([slots.slotOf(first!), slots.slotOf(second!)]).toEqual([-1, 0])
  // A slot that does not exist.
  expect(slots.slotOf(second! | 1)).toBe(-1)
})

test('slots of datagrams that the kernel did not take are free again', () => {
  const slots = new UdpClientSlots(8, LENGTHS, 7)
  const transactions = takeAll(slots, [0, 1, 2, 1])
  const released: number[] = []
  slots.takeBack(2, (kind) => released.push(kind))
  expect(released).toEqual([2, 1])
  expect([slots.free, slots.inFlight]).toEqual([6, 2])
  expect(transactions.map((one) => slots.slotOf(one) >= 0)).toEqual([true, true, false, false])
})
