/** `tracker client`: asks one tracker about torrents, as a BitTorrent client would, and prints what it answers. */

import { type Host, type Invocation, optionValue } from '../cli/host.ts'
import { printResult } from '../cli/output.ts'
import { Progress } from '../cli/progress.ts'
import { announce, type ScrapeAnswer, scrape } from '../client/ask.ts'
import { ClientFailure, printable } from '../client/failure.ts'
import type { AnnounceQuestion } from '../client/question.ts'
import {
  announceDocument,
  type Outcome,
  refusalDocument,
  scrapeDocument,
  truncationDocument,
} from './document.ts'
import { hexOf, type Questions, readAnnounce, readQuestions } from './read-question.ts'
import { announceText, failureText, scrapeText } from './text.ts'

/** Torrents that are announced at a time: one that is waited for does not keep all others waiting. */
const AT_ONCE = 8

export async function announceCommand(invocation: Invocation, host: Host): Promise<number> {
  const questions = readQuestions(invocation, host)
  const fields = readAnnounce(invocation, questions)
  const outcomes = await announceAll(questions, fields, host)

  const problems = outcomes.flatMap(({ question, told }) => {
    const hash = hexOf(question.infoHash)
    if (told instanceof ClientFailure)
      return [{ hash, text: failureText(told, 'announce', questions, question.compact) }]
    const text = `${questions.where}: the tracker warns: ${printable(told.warning ?? '')}`
    return told.warning === undefined ? [] : [{ hash, text }]
  })
  // What is wrong with all of them is said once.
  for (const [text, those] of Map.groupBy(problems, (problem) => problem.text)) {
    const which = those.map(({ hash }) => hash).join(', ')
    const about = those.length === outcomes.length ? '' : ` (${which})`
    host.complain(`tracker client announce: ${text}${about}\n`)
  }
  const document = announceDocument(questions.url.scheme, outcomes)
  if (document)
    printResult(host, invocation, document, () => announceText(questions.where, outcomes))
  return outcomes.some(({ told }) => told instanceof ClientFailure) ? 1 : 0
}

async function announceAll(
  { url, where, hashes, options }: Questions,
  fields: Omit<AnnounceQuestion, 'infoHash'>,
  host: Host,
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = []
  using progress = new Progress(host)
  using _line = progress.every(() => `${where}: ${outcomes.length} of ${hashes.length} announced`)
  while (outcomes.length < hashes.length) {
    const some = hashes.slice(outcomes.length, outcomes.length + AT_ONCE)
    outcomes.push(
      ...(await Promise.all(
        some.map(async (infoHash) => {
          const question = { ...fields, infoHash }
          return { question, told: await announce(url, question, options).catch(failureOf) }
        }),
      )),
    )
  }
  return outcomes
}

export async function scrapeCommand(invocation: Invocation, host: Host): Promise<number> {
  const questions = readQuestions(invocation, host)
  const { url, where } = questions
  const hashes = questions.hashes.map(hexOf)
  const answer = await scrapeAll(questions, host)

  if (answer instanceof ClientFailure) {
    host.complain(`tracker client scrape: ${failureText(answer, 'scrape', questions)}\n`)
    const document = refusalDocument(url.scheme, answer)
    if (document) printResult(host, invocation, document, () => '')
    return 1
  }
  const missing = hashes.filter((hash) => !answer.entries.has(hash))
  if (missing.length > 0) {
    const message = `the tracker says nothing about ${missing.join(', ')}`
    const returned = hashes.length - missing.length
    const warning = truncationDocument(hashes.length, returned, message)
    host.complain(
      optionValue(invocation, 'format') === 'text'
        ? `tracker client scrape: ${where}: ${message}\n`
        : `${JSON.stringify(warning)}\n`,
    )
  }
  printResult(host, invocation, scrapeDocument(url.scheme, hashes, answer), () =>
    scrapeText(where, hashes, answer),
  )
  return 0
}

async function scrapeAll(
  { url, where, hashes, options }: Questions,
  host: Host,
): Promise<ScrapeAnswer | ClientFailure> {
  using progress = new Progress(host)
  using _line = progress.every(() => `${where}: waiting for the answer`)
  return await scrape(url, hashes, options).catch(failureOf)
}

function failureOf(error: unknown): ClientFailure {
  if (error instanceof ClientFailure) return error
  throw error
}
