/**
 * `bun run build`: one executable with the serving and the database thread inside, `dist/tracker`.
 * Another file may be named as the argument; after it a platform other than this one, by Bun's name.
 */

/** Those that releases are made for. The x64 ones need no AVX. */
export const TARGETS = [
  'bun-linux-x64-baseline',
  'bun-linux-arm64',
  'bun-linux-x64-baseline-musl',
  'bun-linux-arm64-musl',
  'bun-darwin-arm64',
  'bun-darwin-x64',
  'bun-windows-x64-baseline',
] as const satisfies readonly Bun.Build.CompileTarget[]

export type Target = (typeof TARGETS)[number]

/**
 * Makes the executable, and tells which files went into it, as paths from here: the working directory
 * must be the project's. The same source, name and target give the same bytes. With `maps`, source maps
 * are laid beside it; it then has them inside, too.
 */
export async function compile(
  outfile: string,
  { target, maps = false }: { target?: Target | undefined; maps?: boolean } = {},
): Promise<readonly string[]> {
  const { metafile } = await Bun.build({
    entrypoints: ['src/main.ts', 'src/run/thread.ts', 'src/database/worker.ts'],
    // The directory it runs in is the operator's: no file of ours is looked for there.
    compile: { outfile, autoloadDotenv: false, autoloadBunfig: false, ...(target && { target }) },
    minify: { whitespace: true, syntax: true, identifiers: false },
    bytecode: true,
    // Each thread loads what it needs, the database's only the driver that is configured.
    splitting: true,
    format: 'esm',
    sourcemap: maps ? 'external' : 'none',
    metafile: true,
  })
  return Object.keys(metafile?.inputs ?? {})
}

if (import.meta.main) {
  const [outfile = 'dist/tracker', platform] = process.argv.slice(2)
  const target = TARGETS.find((known) => known === platform)
  if (platform !== undefined && !target) {
    console.error(`build: there is no target ${platform}; there are ${TARGETS.join(', ')}`)
    process.exit(2)
  }
  const started = performance.now()
  await compile(outfile, { target })
  const size = Math.round(Bun.file(outfile).size / 2 ** 20)
  console.log(`${outfile}: ${size} MiB in ${Math.round(performance.now() - started)} ms`)
}
