/** Why a listener could not be opened, as one line an operator can act on. */
import { joinPort } from '../wire/address.ts'

/** `scheme` is udp, http or https. The error is Bun's or the system's. */
export function listenError(scheme: string, ip: string, port: number, error: unknown): Error {
  const where = `${scheme} ${joinPort(ip, port)}`
  const { code, message } = error as NodeJS.ErrnoException
  switch (code) {
    case 'EADDRINUSE':
      return new Error(`port in use: ${where}`)
    case 'EACCES':
      return new Error(`not permitted: ${where} (ports below 1024 need the right to bind them)`)
    case 'EADDRNOTAVAIL':
      return new Error(`no such address on this machine: ${where}`)
    default:
      return new Error(`cannot listen on ${where}: ${message}`)
  }
}
