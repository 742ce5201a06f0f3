/**
 * The tables, and how those of either reference generation become ours in place (spec/torrust-rest-api
 * §9.1–9.2, spec/torrust-newest §5). Each driver follows this in its own dialect. Nothing here may lose
 * a row, change an id, or leave a database that the reference no longer opens.
 *
 *   whitelist                   id, info_hash (40 hex digits, unique; others may have written them in upper case)
 *   torrents                    id, info_hash (likewise), completed (64-bit, not null, default 0)
 *   keys                        id, key (32 characters, unique, case counts), valid_until (64-bit, null = for ever)
 *   torrent_aggregate_metrics   id, metric_name (unique, 50 characters), value (64-bit, not null, default 0)
 *
 *   step  when                                       what
 *   1     a table is absent                          create it
 *   2     `valid_until` is NOT NULL or too narrow     nullable, 64-bit; every row and id kept
 *   3     a counter is too narrow                     64-bit
 *   4     keys that differ by case collide            a collation that tells them apart
 *   5     the row `TOTAL` is absent                   create it with the sum of `torrents.completed`
 *
 * All of it happens in one transaction where the database can, else each step leaves a state that the
 * next start goes on from; two trackers that start at once must both succeed.
 *
 * Step 5: neither generation writes that row before it needs it, and the newest counts from nothing when
 * it is absent. The sum of what is stored is the better first value. Trackers have been seen with 1.9
 * billion torrents stored: a table that is not summed within `SUMMING_MILLISECONDS` counts from 0,
 * because no start may hang on it. A row that is there is never touched, whatever the sum is.
 *
 * `_sqlx_migrations`, the newest generation's history, is neither created nor written. Where it is absent
 * that generation adopts a database whose `valid_until` is nullable and that has the aggregate table,
 * which is what these steps leave; where it is present, each migration that is still to come finds its
 * work done (`IF NOT EXISTS`) or does it again.
 */

/** Metric name of the row that counts the completions of all torrents. */
export const TOTAL = 'torrents_downloads_total'

export const SUMMING_MILLISECONDS = 4_000
