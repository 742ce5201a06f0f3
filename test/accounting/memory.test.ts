/** What the books take of the tracker's memory. */
import { expect, test } from 'bun:test'
import { KeptBooks } from '../support/accounting/kept-books.ts'

/** Accounts that the books know, and torrents of each. */
const ACCOUNTS = 99
const TORRENTS = 300

test('N32: an active session takes 150 bytes at most, with its record and its torrent', () => {
  let kib = 0
  const books = new KeptBooks({
    capacity: 100_000,
    charge: (more) => {
      kib += more
      return true
    },
  })
  for (let torrent = 1; torrent <= TORRENTS; torrent++) {
    for (let account = 1; account <= ACCOUNTS; account++) books.note({ account, torrent, up: 1 })
    books.settle()
  }
  const { sessions } = books.books.figures
  expect(sessions).toBe(ACCOUNTS * TORRENTS)
  expect((kib * 1_024) / sessions).toBeLessThanOrEqual(150)
  // It is not nothing either.
  expect((kib * 1_024) / sessions).toBeGreaterThan(64)
})
