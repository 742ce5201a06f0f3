/**
 * `bun run build`: one executable with the serving and the database thread inside, `dist/tracker`.
 * Another file may be named as the argument.
 */
export {}

const outfile = process.argv[2] ?? 'dist/tracker'
const started = performance.now()
const result = await Bun.build({
  entrypoints: ['src/main.ts', 'src/thread.ts', 'src/database/worker.ts'],
  // The directory it runs in is the operator's: no file of ours is looked for there.
  compile: { outfile, autoloadDotenv: false, autoloadBunfig: false },
  minify: { whitespace: true, syntax: true, identifiers: false },
  bytecode: true,
  // Each thread loads what it needs, the database's only the driver that is configured.
  splitting: true,
  format: 'esm',
  sourcemap: 'none',
})
for (const log of result.logs) console.warn(log)
if (!result.success) process.exit(1)
const size = Math.round(Bun.file(outfile).size / 2 ** 20)
console.log(`${outfile}: ${size} MiB in ${Math.round(performance.now() - started)} ms`)
