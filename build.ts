/**
 * `bun run build [FILE [TARGET]]`: one executable with its threads inside, by default
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
 * project's. The same source, commit, name and target give the same bytes. `maps`: source maps are written beside the
 * executable, and are also inside it.
 */
export async function compile(
  outfile: string,
  { target, maps = false }: { target?: Target | undefined; maps?: boolean } = {},
): Promise<readonly string[]> {
  const commit = sourceCommit()
  const { metafile } = await Bun.build({
    entrypoints: [
      'src/main.ts',
      'src/run/thread.ts',
      'src/database/worker.ts',
      'src/view/order-worker.ts',
    ],
    // The working directory belongs to the operator: the runtime must not read its own files there.
    compile: { outfile, autoloadDotenv: false, autoloadBunfig: false, ...(target && { target }) },
    minify: { whitespace: true, syntax: true, identifiers: false },
    bytecode: true,
    // Each thread loads only what it needs; the database thread only the configured driver.
    splitting: true,
    format: 'esm',
    // Of a fixed length, which `git rev-parse --short` does not promise.
    define: commit === undefined ? {} : { BUILD_COMMIT: JSON.stringify(commit.slice(0, 12)) },
    sourcemap: maps ? 'external' : 'none',
    metafile: true,
  })
  return Object.keys(metafile?.inputs ?? {})
}

/**
 * The commit of the sources: SOURCE_COMMIT, which builds without a history set, or what git says. undefined: neither
 * knows it. The working directory must be the project's; a repository around an unpacked archive is not ours.
 */
export function sourceCommit(): string | undefined {
  const { SOURCE_COMMIT } = process.env
  if (SOURCE_COMMIT) return SOURCE_COMMIT
  const [commit, prefix] = git('rev-parse', 'HEAD', '--show-prefix')?.split('\n') ?? []
  return prefix === '' ? commit : undefined
}

/** What git prints, without the last line break; undefined: there is no git, or it failed. */
export function git(...words: readonly string[]): string | undefined {
  if (!Bun.which('git')) return undefined
  const { success, stdout } = Bun.spawnSync(['git', ...words], { stderr: 'ignore' })
  return success ? stdout.toString().replace(/\n$/, '') : undefined
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
