/** The annotated file of `tracker init`: the built-in default word for word, and a token. */
import { loadBuiltIn } from './load.ts'
import { toToml } from './print.ts'

export function exampleToml(token: string): string {
  const { config } = loadBuiltIn()
  const http_api = config.http_api && { ...config.http_api, access_tokens: { admin: token } }
  return (
    '# Configuration of the tracker. Every option is here; those that begin with `#` are off.\n' +
    '# Look at the effect of a change with `tracker config check` and `tracker config print`.\n\n' +
    toToml({ ...config, http_api }, { secrets: true, annotated: true })
  )
}
