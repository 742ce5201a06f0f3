/** Takes turns: A B C A B C …, so that whatever else the machine does falls on all alike. */

export type Player<R> = {
  readonly name: string
  /** One run from a fresh start; `undefined` when there is no such thing on this machine. */
  turn(): Promise<R | undefined>
}

/** Results of one player, one per round; when it was not found or failed, `remark` says why. */
export type Row<R> = { readonly name: string; readonly results: R[]; remark?: string }

/** A player that failed once is left out from then on. `say` is told of each result. */
export async function inTurns<R>(
  players: readonly Player<R>[],
  rounds: number,
  say: (name: string, result: R) => void,
): Promise<Row<R>[]> {
  const rows: Row<R>[] = players.map(({ name }) => ({ name, results: [] }))
  for (let round = 0; round < rounds; round++)
    for (const [i, player] of players.entries()) await takeTurn(player, rows[i]!, say)
  return rows
}

async function takeTurn<R>(
  player: Player<R>,
  row: Row<R>,
  say: (name: string, result: R) => void,
): Promise<void> {
  if (row.remark) return
  try {
    const result = await player.turn()
    if (result === undefined) {
      row.remark = 'not found'
      return
    }
    row.results.push(result)
    say(player.name, result)
  } catch (error) {
    row.remark = `failed: ${error instanceof Error ? error.message : error}`
  }
}
