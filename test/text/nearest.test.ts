/** Which known word a mistyped one was meant to be. */
import { expect, test } from 'bun:test'
import { didYouMean, nearest } from '../../src/text/nearest.ts'

test.each<[string, string[], string | undefined]>([
  ['confg', ['version', 'config', 'help'], 'config'],
  ['tls_config', ['bind_address', 'tsl_config'], 'tsl_config'],
  ['CONFIG', ['config'], 'config'],
  // One letter more, less, other, or two swapped.
  ['intervall', ['interval'], 'interval'],
  ['interva', ['interval'], 'interval'],
  ['intervak', ['interval'], 'interval'],
  ['intreval', ['interval'], 'interval'],
  ['nitevral', ['interval'], 'interval'],
  ['nitevrla', ['interval'], undefined],
  ['listd', ['listed', 'lister'], 'listed'],
  ['x', ['y', 'z'], undefined],
  ['udp_tracker_server', ['udp_trackers'], undefined],
  ['', ['a'], undefined],
  ['anything', [], undefined],
])('%p among %p is %p', (word, candidates, meant) => {
  expect(nearest(word, candidates)).toBe(meant)
})

test('a word longer than any name is not compared', () => {
  expect(nearest('a'.repeat(10_000), ['a'.repeat(9_999)])).toBeUndefined()
})

test('a guess is part of a sentence, no guess is nothing', () => {
  expect(didYouMean('confg', ['config'], '--')).toBe(', did you mean --config?')
  expect(didYouMean('zzz', ['config'])).toBe('')
})
