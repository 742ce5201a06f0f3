/** `tracker client`: asks one tracker about torrents, as a BitTorrent client would, and prints its answers. */
import { EXIT, type Host } from '../cli/host.ts'
import type { Invocation } from '../cli/invocation.ts'
import { printResult, showProgress, wantsText } from '../cli/output.ts'
import { announce, type ScrapeAnswer, scrape } from '../client/ask.ts'
import { ClientFailure } from '../client/failure.ts'
import { inParallel } from '../client/in-parallel.ts'
import { oneLine } from '../text/printable.ts'
import type { AnnounceQuestion } from '../wire/udp-client.ts'
import { type Questions, readAnnounce, readQuestions } from './read-question.ts'
import {
  announceDocument,
  announceText,
  failureText,
  type Outcome,
  refusalDocument,
  scrapeDocument,
  scrapeText,
  truncationDocument,
} from './report.ts'

/** Torrents announced at the same time. */
const AT_ONCE = 8

export async function announceCommand(invocation: Invocation, host: Host): Promise<number> {
  const questions = readQuestions(invocation, host)
  const fields = readAnnounce(invocation, questions)
  const outcomes = await announceAll(questions, fields, host)

  const problems = outcomes.flatMap(({ question, result }) => {
    const hash = question.infoHash.toHex()
    if (result instanceof ClientFailure)
      return [{ hash, text: failureText(result, 'announce', questions, question.compact) }]
    const text = `${questions.where}: the tracker warns: ${oneLine(result.warning ?? '')}`
    return result.warning === undefined ? [] : [{ hash, text }]
  })
  // A problem that several torrents share is printed once.
  for (const [text, those] of Map.groupBy(problems, (problem) => problem.text)) {
    const which = those.map(({ hash }) => hash).join(', ')
    const about = those.length === outcomes.length ? '' : ` (${which})`
    host.complain(`tracker client announce: ${text}${about}\n`)
  }
  const document = announceDocument(questions.url.scheme, outcomes)
  if (document) printResult(host, invocation, document, () => announceText(questions, outcomes))
  return outcomes.some(({ result }) => result instanceof ClientFailure)
    ? EXIT.failure
    : EXIT.success
}

async function announceAll(
  { url, where, hashes, options }: Questions,
  fields: Omit<AnnounceQuestion, 'infoHash'>,
  host: Host,
): Promise<readonly Outcome[]> {
  let done = 0
  using _line = showProgress(host, () => `${where}: ${done} of ${hashes.length} announced`)
  return await inParallel(hashes, AT_ONCE, async (infoHash) => {
    const question = { ...fields, infoHash }
    const result = await announce(url, question, options).catch(failureOf)
    done++
    return { question, result }
  })
}

export async function scrapeCommand(invocation: Invocation, host: Host): Promise<number> {
  const questions = readQuestions(invocation, host)
  const { url, where } = questions
  const hashes = questions.hashes.map((hash) => hash.toHex())
  const answer = await scrapeAll(questions, host)

  if (answer instanceof ClientFailure) {
    host.complain(`tracker client scrape: ${failureText(answer, 'scrape', questions)}\n`)
    const document = refusalDocument(url.scheme, answer)
    if (document) printResult(host, invocation, document, () => '')
    return EXIT.failure
  }
  const missing = hashes.filter((hash) => !answer.entries.has(hash))
  if (missing.length > 0) {
    const message = `the tracker left out ${missing.join(', ')}`
    const returned = hashes.length - missing.length
    const warning = truncationDocument(hashes.length, returned, message)
    host.complain(
      wantsText(host, invocation)
        ? `tracker client scrape: ${where}: ${message}\n`
        : `${JSON.stringify(warning)}\n`,
    )
  }
  printResult(host, invocation, scrapeDocument(url.scheme, hashes, answer), () =>
    scrapeText(where, hashes, answer),
  )
  return EXIT.success
}

async function scrapeAll(
  { url, where, hashes, options }: Questions,
  host: Host,
): Promise<ScrapeAnswer | ClientFailure> {
  using _line = showProgress(host, () => `${where}: waiting for the answer`)
  return await scrape(url, hashes, options).catch(failureOf)
}

function failureOf(error: unknown): ClientFailure {
  if (error instanceof ClientFailure) return error
  throw error
}
