/** What a failure comes to in a report. Pure. */
import type { ClientFailure } from '../client/failure.ts'

/** Without the place, which stands in the finding. */
export const explain = ({ kind, message }: ClientFailure): string =>
  kind === 'refusal'
    ? `refused by the tracker: ${message || 'no reason given'}`
    : message.replace(/^(udp|https?):\/\/\S+: /, '')
