/** When garbage is collected: by the amount reported, and over time. */
import { afterAll, beforeEach, expect, spyOn, test } from 'bun:test'
import { Garbage } from '../../src/servers/garbage.ts'

const MIB = 2 ** 20

const collect = spyOn(Bun, 'gc')
beforeEach(() => void collect.mockClear())
afterAll(() => void collect.mockRestore())

/** The number of collections that `tell` causes, young and full ones. */
function collections(tell: (garbage: Garbage) => void): { young: number; full: number } {
  using garbage = new Garbage()
  collect.mockClear()
  tell(garbage)
  const full = collect.mock.calls.filter(([all]) => all).length
  return { young: collect.mock.calls.length - full, full }
}

const inPieces = (bytes: number, all: number) => (garbage: Garbage) => {
  for (let made = 0; made < all; made += bytes) garbage.made(bytes)
}

test('young garbage is collected by its bytes, whatever the size of its pieces', () => {
  expect(collections((garbage) => garbage.made(6 * MIB))).toEqual({ young: 0, full: 0 })
  expect(collections((garbage) => garbage.made(8 * MIB))).toEqual({ young: 1, full: 0 })
  for (const piece of [100, 1_000, MIB / 16])
    expect(collections(inPieces(piece, 60 * MIB))).toEqual({ young: 8, full: 0 })
})

test('bytes in use for several turns are left to full collections, and to no more than necessary', () => {
  const { full } = collections((garbage) => {
    for (let piece = 0; piece < 256; piece++) garbage.kept(MIB)
  })
  expect(full).toBeWithin(3, 8)
})

test('pieces so large that every young collection finds one in use lead to full collections as well', () => {
  expect(collections(inPieces(2 * MIB, 1_024 * MIB)).full).toBeWithin(3, 8)
  expect(collections(inPieces(1_000, 1_024 * MIB)).full).toBe(0)
})

test('the rest is collected in a full collection every minute, until the thread stops', () => {
  using every = spyOn(globalThis, 'setInterval')
  using end = spyOn(globalThis, 'clearInterval')
  const garbage = new Garbage()
  const [tick, milliseconds] = every.mock.calls[0] as [() => void, number]
  tick()
  expect(collect).not.toHaveBeenCalled()
  garbage.made(1)
  tick()
  tick()
  expect([milliseconds, collect.mock.calls]).toEqual([60_000, [[true]]])
  garbage[Symbol.dispose]()
  expect(end.mock.calls).toEqual([[every.mock.results[0]!.value as ReturnType<typeof setInterval>]])
})
