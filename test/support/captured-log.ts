import { Log } from '../../src/log/log.ts'

/** A log whose lines, from `info` on, a test reads: without time, colours and line break. */
export function capturedLog() {
  const lines: string[] = []
  const style = { filter: 'info', style: 'compact', colour: false } as const
  const write = (line: string) => lines.push(line.slice('00:00:00 '.length, -1))
  return { lines, log: new Log(style, () => 0, write) }
}
