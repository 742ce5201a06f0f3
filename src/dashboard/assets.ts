/**
 * The files of the dashboard (docs/behaviours.md A34). In the executable they are bundled already; a run of the sources
 * bundles them at the first request.
 */
import { basename } from 'node:path'
import page from './page/index.html'

type Asset = { readonly type: string; readonly bytes: Uint8Array<ArrayBuffer> }

/** Where its files are reached, relative to the page. */
const DIRECTORY = 'assets'
const HTML = 'text/html;charset=utf-8'

/** The page by the name `''`, and the files it loads by theirs. Loaded once, when it is first asked for. */
export class Dashboard {
  #assets: Promise<ReadonlyMap<string, Asset>> | undefined

  /** undefined: there is no such file. */
  async find(name: string): Promise<Asset | undefined> {
    this.#assets ??= load()
    return (await this.#assets).get(name)
  }
}

async function load(): Promise<ReadonlyMap<string, Asset>> {
  const assets = new Map<string, Asset>()
  for (const { name, type, bytes } of await files()) {
    if (type.startsWith('text/html')) assets.set('', { type: HTML, bytes: relative(bytes) })
    else assets.set(name, { type, bytes })
  }
  return assets
}

type File = Asset & { readonly name: string }

async function files(): Promise<readonly File[]> {
  const bundled = page.files
  if (bundled === undefined) return await build()
  return await Promise.all(
    bundled.map(async ({ path, headers }) => ({
      name: basename(path),
      type: String(headers['content-type']),
      bytes: await Bun.file(path).bytes(),
    })),
  )
}

async function build(): Promise<readonly File[]> {
  const { outputs } = await Bun.build({ entrypoints: [page.index], minify: true })
  return await Promise.all(
    outputs.map(async (output) => ({
      name: basename(output.path),
      type: output.type,
      bytes: new Uint8Array(await output.arrayBuffer()),
    })),
  )
}

/** The bundler names files from the root of the site; behind a proxy the page may stand elsewhere. */
function relative(html: Uint8Array): Uint8Array<ArrayBuffer> {
  const text = Buffer.from(html).toString()
  return Buffer.from(text.replaceAll(/ (href|src)="\.?\//g, ` $1="${DIRECTORY}/`))
}
