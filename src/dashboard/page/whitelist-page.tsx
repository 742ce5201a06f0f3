/** The torrents that are served, where not all are. */
import { AccessList, ROWS, useWanted } from './access-list.tsx'
import { textOf } from './api.ts'
import { BulkPanel, type Change } from './bulk-panel.tsx'
import { readInfoHash, readTorrentFile } from './info-hash.ts'
import type { Line } from './lines.ts'
import { Jump, NoDatabase, Page, ReadOnly } from './parts.tsx'
import { linkTo } from './router.ts'
import { useAnswer, useShared } from './state.ts'
import { addToWhitelist, removeFromWhitelist, whitelistPart } from './whitelist.ts'

/** A request may have more (2 MiB), but smaller ones show how far it is. */
const MOST_HASHES = 5_000
const MOST_FILE_BYTES = 20 * 1024 * 1024

const line = (text: string): Line<string> => {
  const read = readInfoHash(text)
  return 'hash' in read ? { entry: read.hash, name: read.hash } : read
}
const CHANGES: readonly Change<string>[] = [
  { verb: 'Add', done: 'added to the whitelist', asks: false, send: addToWhitelist },
  { verb: 'Remove', done: 'removed from the whitelist', asks: true, send: removeFromWhitelist },
]

/** A torrent becomes a line with its name behind the info hash; other files are lists. */
async function readFile(file: File): Promise<string> {
  if (file.size > MOST_FILE_BYTES) throw new Error('is larger than 20 MiB')
  if (!file.name.toLowerCase().endsWith('.torrent')) return await file.text()
  const read = readTorrentFile(new Uint8Array(await file.arrayBuffer()))
  if ('mistake' in read) throw new Error(read.mistake)
  return `${read.hash} # ${file.name.replaceAll(/\s+/g, ' ')}`
}

export function WhitelistPage() {
  const { overview, mayChange, confirm, notify } = useShared()
  const wanted = useWanted()
  const answer = useAnswer(
    (signal) => whitelistPart(wanted.start, wanted.offset, ROWS, signal),
    [wanted.start, wanted.offset],
  )
  const { again } = answer
  const removeOne = async (hash: string) => {
    const isSure = await confirm({
      title: 'Remove this torrent from the whitelist?',
      text: overview?.listed === null ? hash : `Its clients will be refused: ${hash}`,
      action: 'Remove',
    })
    if (!isSure) return
    try {
      await removeFromWhitelist([hash])
      const undo = async () => {
        await addToWhitelist([hash])
        again()
      }
      notify({ text: `${hash} was removed from the whitelist.`, undo })
    } catch (error) {
      notify({ text: `Not removed: ${textOf(error)}`, isMistake: true })
    }
    again()
  }
  if (overview !== undefined && !overview.database) return <NoDatabase title="Whitelist" />
  return (
    <Page title="Whitelist" aside={mayChange && <Jump to="bulk">Add torrents</Jump>}>
      {overview?.listed === null && (
        <p class="note">
          This tracker serves every torrent: <code>core.listed</code> is off, and the whitelist is
          only kept.
        </p>
      )}
      <div class="beside">
        <AccessList
          path="whitelist"
          noun="whitelisted torrents"
          total={overview?.listed}
          head={['Info hash']}
          answer={answer}
          normal={(text) => {
            const read = readInfoHash(text)
            return 'hash' in read ? read.hash : text.trim().toLowerCase()
          }}
          row={(hash) => (
            <tr key={hash}>
              <td class="code">
                <a href={linkTo(`torrents/${hash}`)}>{hash}</a>
              </td>
              {mayChange && (
                <td class="figure">
                  <button type="button" class="small" onClick={() => removeOne(hash)}>
                    Remove<span class="hidden"> {hash}</span>
                  </button>
                </td>
              )}
            </tr>
          )}
        />
        {mayChange ? (
          <BulkPanel
            title="Add or remove torrents"
            help="Info hashes or magnet links, one a line"
            noun="torrent"
            read={line}
            changes={CHANGES}
            most={MOST_HASHES}
            readFile={readFile}
            files=".torrent,.txt,text/plain"
            changed={again}
          />
        ) : (
          <ReadOnly what="change the whitelist" />
        )}
      </div>
    </Page>
  )
}
