/** `tracker config print`, `check` and `migrate`, as an operator runs them. */
import { describe, expect, test } from 'bun:test'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { jsonSchema } from '../../src/config/json-schema.ts'
import { workspace } from '../support/cli/workspace.ts'
import { MINIMAL_2, MINIMAL_3 } from '../support/config/loading.ts'

const TOKEN = 'TORRUST_TRACKER_CONFIG_OVERRIDE_HTTP_API__ACCESS_TOKENS__ADMIN'
const OLD = `${MINIMAL_2}stale = 1
[core.database]
driver = "mysql"
path = "mysql://root:hunter2@localhost:3306/torrust"
[http_api.access_tokens]
admin = "hunter3"
`

describe('check', () => {
  test('confirms a good configuration, with its schema', async () => {
    using here = workspace({ 'a.toml': MINIMAL_3, 'b.toml': MINIMAL_2 })
    expect(await here.run(['config', 'check', '-c', 'a.toml'])).toEqual({
      code: 0,
      out: 'a.toml: ok (schema 3.0.0)\n',
      err: '',
    })
    expect(await here.run(['config', 'check', '-c', 'b.toml'])).toMatchObject({
      out: 'b.toml: ok (schema 2.0.0)\n',
    })
    expect(await here.run(['config', 'check'])).toMatchObject({
      code: 0,
      out: 'the built-in default: ok (schema 3.0.0)\n',
    })
  })

  test('warns on the standard error', async () => {
    using here = workspace({ 'tracker.toml': OLD })
    expect(await here.run(['config', 'check'])).toEqual({
      code: 0,
      out: 'tracker.toml: ok (schema 2.0.0)\n',
      err: 'warning: tracker.toml:9:1: core.stale: unknown option, ignored\n',
    })
  })

  test('ends with 78 when a file is missing, as everything does that reads one', async () => {
    using here = workspace()
    const { code, out, err } = await here.run(['config', 'check', '--config', 'gone.toml'])
    expect([code, out]).toEqual([78, ''])
    for (const words of [[], ['config', 'print'], ['config', 'migrate'], ['doctor']])
      expect(await here.run([...words, '--config', 'gone.toml'])).toEqual({ code, out, err })
    expect(err).toStartWith('tracker: 1 mistake in gone.toml\ngone.toml: no such file')
  })
})

describe('print', () => {
  test('shows every value with its source and no secret', async () => {
    using here = workspace({ 'tracker.toml': OLD })
    const { code, out } = await here.run(['config', 'print'], { [TOKEN]: 'hunter4' })
    expect(code).toBe(0)
    expect(out).toContain('# Effective configuration, from tracker.toml\n')
    expect(out).toContain('trace_filter = "info"  # tracker.toml:5\n')
    expect(out).toContain('interval = 120  # default\n')
    expect(out).toContain('password = "***"  # tracker.toml:12\n')
    expect(out).toContain(`admin = "***"  # ${TOKEN}\n`)
    expect(out).not.toContain('hunter')
  })

  test('explains the options on demand', async () => {
    using here = workspace()
    const { out } = await here.run(['config', 'print', '--docs'])
    expect(out).toContain(
      '# Serve only torrents on the whitelist.\nlisted = false  # the built-in default\n',
    )
  })
})

describe('migrate', () => {
  test('prints a file of schema 3.0.0 that loads, secrets and all, and says so', async () => {
    using here = workspace({ 'tracker.toml': OLD })
    const { code, out, err } = await here.run(['config', 'migrate'], { [TOKEN]: 'hunter4' })
    expect(code).toBe(0)
    expect(err).toContain('tracker: the output contains the real tokens and passwords\n')
    expect(out).toContain('password = "hunter2"\n')
    // Overrides stay in the environment.
    expect(out).toContain('admin = "hunter3"\n')

    using there = workspace({ 'tracker.toml': out })
    expect(await there.run(['config', 'check'])).toEqual({
      code: 0,
      out: 'tracker.toml: ok (schema 3.0.0)\n',
      err: '',
    })
  })

  test('writes a file for its owner only, and never over another', async () => {
    using here = workspace({ 'tracker.toml': OLD })
    const words = ['config', 'migrate', '--output', 'new.toml']
    expect(await here.run(words)).toMatchObject({ code: 0, out: '' })
    const path = join(here.path, 'new.toml')
    const text = readFileSync(path, 'utf8')
    expect(text).toContain('schema_version = "3.0.0"\n')
    expect(statSync(path).mode & 0o777).toBe(0o600)

    expect(await here.run(words)).toMatchObject({
      code: 1,
      err: expect.stringContaining('tracker: new.toml cannot be written: file already exists: '),
    })
    expect(readFileSync(path, 'utf8')).toBe(text)
  })

  test('keeps the files of secrets in files', async () => {
    const toml = OLD.replace('root:hunter2@', 'root@').replace(
      '[http_api',
      'password_file = "$CREDENTIALS_DIRECTORY/db"\n[http_api',
    )
    using here = workspace({ 'tracker.toml': toml, db: 'hunter2\n' })
    const { code, out } = await here.run(['config', 'migrate'], {
      CREDENTIALS_DIRECTORY: here.path,
    })
    expect(code).toBe(0)
    expect(out).toContain('\npassword_file = "$CREDENTIALS_DIRECTORY/db"\n')
    expect(out).not.toContain('hunter2')
    expect(out).not.toMatch(/^password = /m)
  })

  test('leaves schema 3.0.0 alone', async () => {
    using here = workspace({ 'tracker.toml': MINIMAL_3 })
    expect(await here.run(['config', 'migrate'])).toEqual({
      code: 0,
      out: '',
      err: 'tracker.toml: schema 3.0.0 already, nothing to do\n',
    })
  })

  test('reports what schema 3.0.0 refuses', async () => {
    using here = workspace({ 'tracker.toml': OLD.replace('root:hunter2', 'root') })
    const { code, out, err } = await here.run(['config', 'migrate'])
    expect(code).toBe(78)
    expect(out).toContain('password = ""\n')
    expect(err).toContain('requires a non-empty `password` field\n')
  })
})

test('schema prints the JSON Schema, with or without a configuration', async () => {
  using here = workspace({ 'tracker.toml': 'no = TOML' })
  const { code, out, err } = await here.run(['config', 'schema'])
  expect([code, err]).toEqual([0, ''])
  expect(JSON.parse(out)).toEqual(JSON.parse(JSON.stringify(jsonSchema())))
})
