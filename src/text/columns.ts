/** Tables for people. */

/** Rows as lines, each column as wide as its widest cell; the first `words` are flush left, figures right. */
export function aligned(rows: readonly (readonly string[])[], words: number): string[] {
  const widths: number[] = []
  for (const row of rows)
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length)
  const fit = (cell: string, i: number): string =>
    i < words ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)
  return rows.map((row) => row.map(fit).join('  ').trimEnd())
}
