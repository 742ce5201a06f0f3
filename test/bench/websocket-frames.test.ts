/** Frames as RFC 6455 §5 says. */
import { describe, expect, test } from 'bun:test'
import { FrameReader, OPCODE, putHeader } from '../../src/bench/websocket-frames.ts'

describe('the header of a frame', () => {
  test.each([
    [0, '818000000000'],
    [125, '81fd00000000'],
    [126, '81fe007e00000000'],
    [65_535, '81feffff00000000'],
  ])('of %d bytes', (length, header) => {
    const bytes = Buffer.alloc(20, 0xaa)
    const from = putHeader(bytes, 20, OPCODE.text, length)
    expect(bytes.subarray(from).toString('hex')).toBe(header)
    expect(bytes.subarray(0, from)).toEqual(Buffer.alloc(from, 0xaa))
  })

  test('does not announce more than two bytes hold', () => {
    expect(() => putHeader(Buffer.alloc(20), 20, OPCODE.text, 65_536)).toThrow(RangeError)
  })
})

/** A frame as servers write it. */
function framed(payload: string, opcode: number = OPCODE.text): Buffer {
  const { length } = payload
  const head = length < 126 ? [length] : [126, length >> 8, length & 0xff]
  return Buffer.from([0x80 | opcode, ...head, ...Buffer.from(payload)])
}

function readAll(pieces: readonly Buffer[]) {
  const reader = new FrameReader()
  const frames: [number, string][] = []
  const good = pieces.every((piece) => {
    const isGood = reader.read(piece, (opcode, bytes, from, to) => {
      frames.push([opcode, bytes.toString('latin1', from, to)])
      return true
    })
    // As the socket does, which uses the memory again.
    piece.fill(0xee)
    return isGood
  })
  return { good, frames }
}

test('frames are read wherever they are cut', () => {
  const texts: [number, string][] = [
    [OPCODE.text, ''],
    [OPCODE.binary, 'x'.repeat(125)],
    [OPCODE.text, 'y'.repeat(300)],
    [OPCODE.ping, 'z'],
  ]
  const all = Buffer.concat(texts.map(([opcode, text]) => framed(text, opcode)))
  for (let cut = 0; cut <= all.length; cut++)
    expect(readAll([Buffer.from(all.subarray(0, cut)), Buffer.from(all.subarray(cut))])).toEqual({
      good: true,
      frames: texts,
    })
  const bytes = Array.from(all, (byte) => Buffer.from([byte]))
  expect(readAll(bytes)).toEqual({ good: true, frames: texts })
})

test('a payload of more than 65,535 bytes has a length of eight bytes', () => {
  const head = Buffer.from([0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0])
  const { good, frames } = readAll([Buffer.concat([head, Buffer.alloc(65_536, 'a')])])
  expect([good, frames[0]![1].length]).toEqual([true, 65_536])
})

test('after `take` says so, no more frames are read', () => {
  const taken: number[] = []
  const bytes = Buffer.concat([framed('a', OPCODE.close), framed('b')])
  new FrameReader().read(bytes, (opcode) => taken.push(opcode) === 0)
  expect(taken).toEqual([OPCODE.close])
})

test.each([
  ['masked', '818161626364'],
  ['with a reserved bit', 'c10161'],
  ['a part of a message', '010161'],
  ['longer than a mebibyte', '817f0000000000100001'],
  ['longer than a number holds', '817f00000001000000ff'],
])('a frame that is %s is refused', (_what, hex) => {
  expect(readAll([Buffer.from(hex, 'hex')])).toEqual({ good: false, frames: [] })
})
