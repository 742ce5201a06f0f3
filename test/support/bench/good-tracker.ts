/** The behaviour of a good UDP tracker that knows one seeder of every torrent. */
import { actionOf, answerTo, type Behaviour } from '../client/fake-udp.ts'

const WORDS = { 0: [7, 8], 1: [120, 1, 1], 2: [1, 2, 3] }

export const answerWell: Behaviour = (request, answer) => {
  const action = actionOf(request)
  if (action === 0 || action === 1 || action === 2)
    answer(answerTo(request, action, ...WORDS[action]))
}
