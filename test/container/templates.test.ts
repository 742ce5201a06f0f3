/** Which configuration a container begins with. The image itself is tried in `image.test.ts`. */
import { expect, test } from 'bun:test'
import { chmodSync, chownSync, readFileSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { version } from '../../package.json' with { type: 'json' }
import { TEMPLATES, templateFor } from '../../src/container/templates.ts'
import { installFile, readIfThere } from '../../src/container/volumes.ts'
import { workspace } from '../support/cli/workspace.ts'

const root = join(import.meta.dir, '../..')

test('the templates are the files that are shipped, byte for byte', () => {
  expect(TEMPLATES).toHaveLength(4)
  for (const { name, text } of TEMPLATES)
    expect([name, text]).toEqual([
      name,
      readFileSync(join(root, 'share/default/config', name), 'utf8'),
    ])
})

test.each([
  [undefined, 'tracker.container.no-persistence.toml'],
  ['', 'tracker.container.no-persistence.toml'],
  ['sqlite3', 'tracker.container.sqlite3.toml'],
  ['mysql', 'tracker.container.mysql.toml'],
  ['postgresql', 'tracker.container.postgresql.toml'],
  // As a compose file may quote it.
  ['"mysql"', 'tracker.container.mysql.toml'],
  [' sqlite3 ', 'tracker.container.sqlite3.toml'],
  // The configuration would not know these, either.
  ['SQLite3', undefined],
  ['postgres', undefined],
  ["'mysql'", undefined],
  ['{mysql = "mysql"}', undefined],
  ['""', undefined],
  [' ', undefined],
])('%p asks for %p', (driver, name) => {
  expect(templateFor(driver)?.name).toBe(name)
})

test('a file is written once, and read if it is there', () => {
  using here = workspace({ occupied: 'not a directory' })
  const path = join(here.path, 'tracker.toml')
  expect(readIfThere(path)).toBeUndefined()
  expect(installFile(path, 'first')).toBeUndefined()
  expect(installFile(path, 'second')).toBe('file already exists')
  expect(readIfThere(path)).toBe('first')
  expect(statSync(path).mode & 0o777).toBe(0o600)
  const nowhere = join(here.path, 'missing/tracker.toml')
  expect(readIfThere(nowhere)).toBeUndefined()
  expect(installFile(nowhere, 'x')).toBe('no such file or directory')
  expect(readIfThere(join(here.path, 'occupied/tracker.toml'))).toBeUndefined()
  expect(installFile(join(here.path, 'x'.repeat(300)), 'x')).toBe('name too long')
  expect(() => readIfThere(here.path)).toThrow('may not exist')
})

test('what is no readable file in its place is a mistake, not a reason to write another', () => {
  using here = workspace()
  const [link, pipe] = [join(here.path, 'link'), join(here.path, 'pipe')]
  symlinkSync('nowhere', link)
  expect(() => readIfThere(link)).toThrow('it is a link that leads nowhere')
  Bun.spawnSync(['mkfifo', pipe])
  expect(() => readIfThere(pipe)).toThrow('is not a regular file')
})

const canBecomeAnother = process.getuid?.() === 0 && Bun.which('setpriv') !== null

test.skipIf(!canBecomeAnother)('SQLite needs its directory, too, even if the file is there', () => {
  using here = workspace({ 'db/sqlite3.db': '' })
  const file = join(here.path, 'db/sqlite3.db')
  chmodSync(here.path, 0o755)
  chownSync(file, 1000, 1000)
  const script = `import { unwritable } from ${JSON.stringify(join(root, 'src/container/volumes.ts'))}
    console.log(unwritable(${JSON.stringify(file)}))`
  const { stdout } = Bun.spawnSync([
    ...['setpriv', '--reuid=1000', '--regid=1000', '--clear-groups'],
    process.execPath,
    '-e',
    script,
  ])
  expect(stdout.toString()).toBe(
    `${join(here.path, 'db')} is not writable for user 1000:1000 (permission denied): ` +
      'chown -R 1000:1000 what is mounted there\n',
  )
})

test('the image has the version of the package', async () => {
  const dockerfile = await Bun.file(join(root, 'Dockerfile')).text()
  expect(/^ARG VERSION=(.*)$/m.exec(dockerfile)?.[1]).toBe(version)
})

test('the image is built with the Bun of the package', async () => {
  const dockerfile = await Bun.file(join(root, 'Dockerfile')).text()
  const { devDependencies } = await Bun.file(join(root, 'package.json')).json()
  const named = Array.from(dockerfile.matchAll(/bun[:@](\d+\.\d+\.\d+)/g), ([, found]) => found)
  expect(named).toEqual([devDependencies['@types/bun'], devDependencies['@types/bun']])
})
