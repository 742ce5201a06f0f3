/** Interleaves runs (A B C A B C …), so that what else the machine does affects all alike. */

export type Player<R> = {
  readonly name: string
  /** One run from a fresh start; undefined: it is not installed. */
  turn(): Promise<R | undefined>
}

/** Results of one player, one a round; `remark` says why there are no more. */
export type Row<R> = { readonly name: string; readonly results: R[]; remark?: string }

/** A player that has failed is left out of later rounds. `onResult` is called with each result. */
export async function inTurns<R>(
  players: readonly Player<R>[],
  rounds: number,
  onResult: (name: string, result: R) => void,
): Promise<Row<R>[]> {
  const rows: Row<R>[] = players.map(({ name }) => ({ name, results: [] }))
  for (let round = 0; round < rounds; round++)
    for (const [i, player] of players.entries()) await takeTurn(player, rows[i]!, onResult)
  return rows
}

async function takeTurn<R>(
  player: Player<R>,
  row: Row<R>,
  onResult: (name: string, result: R) => void,
): Promise<void> {
  if (row.remark) return
  try {
    const result = await player.turn()
    if (result === undefined) {
      row.remark = 'not found'
      return
    }
    row.results.push(result)
    onResult(player.name, result)
  } catch (error) {
    row.remark = `failed: ${error instanceof Error ? error.message : error}`
  }
}
