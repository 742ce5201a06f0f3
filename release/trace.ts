/**
 * `bun release/trace.ts MAPS.tar.gz < TRACE`: replaces the places in a stack trace of a released executable by those in
 * the source. The maps must be those of its release and platform. See docs/release.md.
 */
import { SourceMap } from 'node:module'

/** Paths of files inside an executable; the second form is that of Windows. */
const PLACE = /(?:\/\$bunfs|[A-Z]:[\\/]~BUN)[\\/]root[\\/]([\w.-]+?):(\d+):(\d+)/g

/** @param maps source maps by name, `chunk-….js.map` */
export function readTrace(trace: string, maps: ReadonlyMap<string, string>): string {
  return trace.replace(PLACE, (place, name: string, line: string, column: string) => {
    const map = maps.get(`${name}.map`)
    if (map === undefined) return place
    const found = new SourceMap(JSON.parse(map)).findEntry(Number(line) - 1, Number(column) - 1)
    if (!('originalSource' in found)) return place
    return `${found.originalSource}:${found.originalLine + 1}:${found.originalColumn + 1}`
  })
}

/** The source maps in a .maps.tar.gz of a release, for `readTrace`. */
export async function readMaps(archive: Uint8Array<ArrayBuffer>): Promise<Map<string, string>> {
  const files = await new Bun.Archive(archive).files()
  const read = Array.from(files, async ([path, file]): Promise<[string, string]> => {
    const name = path.slice(path.lastIndexOf('/') + 1)
    return [name, await file.text()]
  })
  return new Map(await Promise.all(read))
}

if (import.meta.main) {
  const [path] = process.argv.slice(2)
  if (path === undefined) {
    console.error('usage: bun release/trace.ts MAPS.tar.gz < TRACE')
    process.exit(2)
  }
  const maps = await readMaps(await Bun.file(path).bytes())
  process.stdout.write(readTrace(await Bun.stdin.text(), maps))
}
