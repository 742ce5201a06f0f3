/**
 * `bun run build [FILE [TARGET]]`: one executable with the serving and the database thread inside, by default
 * `dist/tracker` for this platform. `TARGET`: another platform, by Bun's name.
 */

/** The platforms of releases. The x64 ones do not need AVX. */
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
 * Makes the executable. Returns the files that went into it, as paths from the working directory, which must be the
 * project's. The same source, name and target give the same bytes. `maps`: source maps are written beside the
 * executable, and are also inside it.
 */
export async function compile(
  outfile: string,
  { target, maps = false }: { target?: Target | undefined; maps?: boolean } = {},
): Promise<readonly string[]> {
  const { metafile } = await Bun.build({
    entrypoints: ['src/main.ts', 'src/run/thread.ts', 'src/database/worker.ts'],
    // The working directory belongs to the operator: the runtime must not read its own files there.
    compile: { outfile, autoloadDotenv: false, autoloadBunfig: false, ...(target && { target }) },
    minify: { whitespace: true, syntax: true, identifiers: false },
    bytecode: true,
    // Each thread loads only what it needs; the database thread only the configured driver.
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
    console.error(`build: unknown target ${platform}; known ones: ${TARGETS.join(', ')}`)
    process.exit(2)
  }
  const started = performance.now()
  await compile(outfile, { target })
  const size = Math.round(Bun.file(outfile).size / 2 ** 20)
  console.log(`${outfile}: ${size} MiB in ${Math.round(performance.now() - started)} ms`)
}
