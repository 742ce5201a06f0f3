/** Self-signed certificates, made by openssl. */
import { join } from 'node:path'

/** Writes `NAME.pem` and `NAME.key` into `directory`; their paths. */
export async function certify(
  directory: string,
  name = 'tracker',
  { host = 'tracker.invalid', days = 2 }: { host?: string; days?: number } = {},
): Promise<{ cert: string; key: string }> {
  const cert = join(directory, `${name}.pem`)
  const key = join(directory, `${name}.key`)
  const made = Bun.spawn(
    [
      ...['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
      ...['-nodes', '-days', `${days}`, '-subj', `/CN=${host}`, '-keyout', key, '-out', cert],
      ...['-addext', `subjectAltName=${/^[\d.]+$|:/.test(host) ? 'IP' : 'DNS'}:${host}`],
    ],
    { stdout: 'ignore', stderr: 'pipe' },
  )
  if ((await made.exited) !== 0) throw new Error(await new Response(made.stderr).text())
  return { cert, key }
}
