/**
 * Starts the server of the npm package for one transport. The package's own command would also load WebRTC, which
 * must be compiled. Runs on Node, for which the package was written.
 * Usage: node npm-server.mjs path/of/bittorrent-tracker/server.js udp|http|ws port
 */
const [library, transport, port] = process.argv.slice(2)
const { default: Server } = await import(library)
const server = new Server({
  udp: transport === 'udp',
  http: transport === 'http',
  ws: transport === 'ws',
  stats: false,
})
server.on('warning', () => {})
server.listen(Number(port), { http: '127.0.0.1', udp: '127.0.0.1', udp6: '::1' })
