/**
 * Starts the npm package's server for one transport: its own command would load WebRTC as well,
 * which must be compiled. Run by Node, for which it was written.
 * Usage: node npm-server.mjs path/of/bittorrent-tracker/server.js udp|http port
 */
const [library, transport, port] = process.argv.slice(2)
const { default: Server } = await import(library)
const server = new Server({
  udp: transport === 'udp',
  http: transport === 'http',
  ws: false,
  stats: false,
})
server.on('warning', () => {})
server.listen(Number(port), { http: '127.0.0.1', udp: '127.0.0.1', udp6: '::1' })
