/**
 * The server of the npm package `bittorrent-tracker` on ports that the system chooses, which it prints:
 * `PORT of UDP PORT of HTTP`; that of HTTP takes WebSockets, too. Run by Node, for which it was written.
 * Usage: node npm-tracker.mjs path/of/bittorrent-tracker/server.js
 */
import { pathToFileURL } from 'node:url'

const { default: Server } = await import(pathToFileURL(process.argv[2]).href)
const server = new Server({ udp: true, http: true, ws: true, stats: false })
// About requests that it does not understand; who asked is told so as well.
server.on('warning', () => {})
server.on('listening', () => {
  console.log(`serves ${server.udp4.address().port} ${server.http.address().port}`)
})
server.listen(0, { http: '127.0.0.1', udp: '127.0.0.1', udp6: '::1' })
