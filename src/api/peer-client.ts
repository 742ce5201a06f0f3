/**
 * The name of the client that made a peer id (docs/behaviours.md A16): the tables of known prefixes, then
 * the order in which they are tried. A peer id is 20 arbitrary bytes; null = unknown client.
 */

/** By the two letters after the dash (BEP 20, "Azureus style"). */
const TAGS: ReadonlyMap<string, string> = new Map([
  ['A~', 'Ares'],
  ['AG', 'Ares'],
  ['AN', 'Ares'],
  ['AR', 'Ares'],
  ['AV', 'Avicora'],
  ['AX', 'BitPump'],
  ['AT', 'Artemis'],
  ['AZ', 'Vuze'],
  ['BB', 'BitBuddy'],
  ['BC', 'BitComet'],
  ['BE', 'BitTorrent SDK'],
  ['BF', 'BitFlu'],
  ['BG', 'BTG'],
  ['BI', 'BiglyBT'],
  ['bk', 'BitKitten (libtorrent)'],
  ['BR', 'BitRocket'],
  ['BS', 'BTSlave'],
  ['BT', 'BitTorrent'],
  ['BW', 'BitWombat'],
  ['BX', 'BittorrentX'],
  ['CB', 'Shareaza Plus'],
  ['CD', 'Enhanced CTorrent'],
  ['CT', 'CTorrent'],
  ['DP', 'Propogate Data Client'],
  ['DE', 'Deluge'],
  ['EB', 'EBit'],
  ['ES', 'Electric Sheep'],
  ['FC', 'FileCroc'],
  ['FD', 'Free Download Manager'],
  ['FG', 'FlashGet'],
  ['FL', 'folx'],
  ['FX', 'Freebox BitTorrent'],
  ['FT', 'FoxTorrent/RedSwoosh'],
  ['GR', 'GetRight'],
  ['GS', 'GS Torrent'],
  ['SG', 'GS Torrent'],
  ['HL', 'Halite'],
  ['HN', 'Hydranode'],
  ['KG', 'KGet'],
  ['KT', 'KTorrent'],
  ['LC', 'LeechCraft'],
  ['LH', 'LH-ABC'],
  ['LK', 'linkage'],
  ['LP', 'Lphant'],
  ['LT', 'libtorrent (Rasterbar)'],
  ['lt', 'libTorrent (Rakshasa) / rTorrent'],
  ['LW', 'LimeWire'],
  ['MG', 'MediaGet'],
  ['MO', 'MonoTorrent'],
  ['MP', 'MooPolice'],
  ['MR', 'Miro'],
  ['MT', 'MoonlightTorrent'],
  ['NE', 'BT Next Evolution'],
  ['NX', 'NetTransport'],
  ['OS', 'OneSwarm'],
  ['OT', 'OmegaTorrent'],
  ['PC', 'CacheLogic'],
  ['PT', 'Popcorn Time'],
  ['PD', 'Pando'],
  ['PE', 'PeerProject'],
  ['pX', 'pHoeniX'],
  ['qB', 'qBittorrent'],
  ['QD', 'qqdownload'],
  ['RM', 'RUM Torrent'],
  ['RT', 'Retriever'],
  ['RZ', 'RezTorrent'],
  ['S~', 'Shareaza alpha/beta'],
  ['SB', 'SwiftBit'],
  ['SD', '迅雷在线 (Xunlei)'],
  ['XL', '迅雷在线 (Xunlei)'],
  ['SN', 'ShareNET'],
  ['SP', 'BitSpirit'],
  ['SS', 'SwarmScope'],
  ['ST', 'SymTorrent'],
  ['st', 'SharkTorrent'],
  ['SZ', 'Shareaza'],
  ['TG', 'Torrent GO'],
  ['TN', 'Torrent.NET'],
  ['TR', 'Transmission'],
  ['TS', 'TorrentStorm'],
  ['TT', 'TuoTu'],
  ['UL', 'uLeecher!'],
  ['UE', 'µTorrent Embedded'],
  ['UT', 'µTorrent'],
  ['UM', 'µTorrent Mac'],
  ['UW', 'µTorrent Web'],
  ['WD', 'WebTorrent Desktop'],
  ['WT', 'Bitlet'],
  ['WW', 'WebTorrent'],
  ['WY', 'FireTorrent'],
  ['VG', '哇嘎 (Vagaa)'],
  ['XT', 'XanTorrent'],
  ['XF', 'Xfplay'],
  ['XX', 'XTorrent'],
  ['XC', 'XTorrent'],
  ['ZT', 'ZipTorrent'],
  ['7T', 'aTorrent'],
  ['ZO', 'Zona'],
  ['#@', 'Invalid PeerID'],
])

/** Ids without a known style: text, its offset, name. The first match counts. */
const MARKS: readonly (readonly [text: string, at: number, name: string])[] = [
  ['-UT170-', 0, 'µTorrent'],
  ['Azureus', 0, 'Azureus'],
  ['Azureus', 5, 'Azureus'],
  ['-aria2-', 0, 'Aria'],
  ['PRC.P---', 0, 'BitTorrent Plus!'],
  ['P87.P---', 0, 'BitTorrent Plus!'],
  ['S587Plus', 0, 'BitTorrent Plus!'],
  ['AZ2500BT', 0, 'BitTyrant (Azureus Mod)'],
  ['BLZ', 0, 'Blizzard Downloader'],
  ['BG', 10, 'BTGetit'],
  ['btuga', 0, 'BTugaXP'],
  ['BTuga', 5, 'BTugaXP'],
  ['oernu', 0, 'BTugaXP'],
  ['BTDWV-', 0, 'Deadman Walking'],
  ['Deadman Walking-', 0, 'Deadman'],
  ['Ext', 0, 'External Webseed'],
  ['-G3', 0, 'G3 Torrent'],
  ['271-', 0, 'GreedBT'],
  ['arclight', 0, 'Hurricane Electric'],
  ['-WS', 0, 'HTTPSeed'],
  ['10-------', 0, 'JVtorrent'],
  ['LIME', 0, 'Limewire'],
  ['martini', 0, 'Martini Man'],
  ['Pando', 0, 'Pando'],
  ['PEERAPP', 0, 'PeerApp'],
  ['btfans', 4, 'SimpleBT'],
  ['a00---0', 0, 'Swarmy'],
  ['a02---0', 0, 'Swarmy'],
  ['T00---0', 0, 'Teeweety'],
  ['346-', 0, 'TorrentTopia'],
  ['DansClient', 0, 'XanTorrent'],
  ['DNA', 0, 'BitTorrent DNA'],
  ['OP', 0, 'Opera'],
  ['O', 0, 'Opera'],
  ['Mbrst', 0, 'Burst!'],
  ['turbobt', 0, 'TurboBT'],
  ['btpd', 0, 'BT Protocol Daemon'],
  ['Plus', 0, 'Plus!'],
  ['XBT', 0, 'XBT'],
  ['-BOW', 0, 'BitsOnWheels'],
  ['eX', 0, 'eXeem'],
  ['-ML', 0, 'MLdonkey'],
  ['BitLet', 0, 'Bitlet'],
  ['AP', 0, 'AllPeers'],
  ['BTM', 0, 'BTuga Revolution'],
  ['RS', 2, 'Rufus'],
  ['BM', 2, 'BitMagnet'],
  ['QVOD', 0, 'QVOD'],
  ['TB', 0, 'Top-BT'],
  ['TIX', 0, 'Tixati'],
  ['-UM', 0, 'µTorrent Mac'],
  ['-UT', 0, 'µTorrent'],
]

/** By the first letter ("Shadow style"). */
const SHADOW: ReadonlyMap<string, string> = new Map([
  ['A', 'ABC'],
  ['O', 'Osprey Permaseed'],
  ['Q', 'BTQueue'],
  ['R', 'Tribler'],
  ['S', 'Shad0w'],
  ['T', 'BitTornado'],
  ['U', 'UPnP NAT'],
])

/** Tags of clients that leave out the dash at the end of the style. */
const WITHOUT_DASH = new Set(['FG', 'LH', 'NE', 'KT', 'SP'])

export function clientName(peerId: Uint8Array): string | null {
  const id = Buffer.from(peerId).toString('latin1')
  if (id.endsWith('UDP0') || id.endsWith('HTTPBT')) return cometName(id) ?? 'BitSpirit?'
  const tag = id.slice(1, 3)
  const whole = id[7] === '-' && id.slice(1, 4) !== 'BOW'
  if (id[0] === '-' && (whole || WITHOUT_DASH.has(tag))) {
    if (tag === 'BI' && id[8] === 'A') return 'BiglyBT for Android'
    return TAGS.get(tag) ?? null
  }
  return shadowName(id) ?? mainlineName(id) ?? cometName(id) ?? markedName(id)
}

function cometName(id: string): string | undefined {
  if (id.slice(2, 4) === 'BS') return 'BitSpirit'
  if (!/^(?:exbc|FUTB|xUTB)/.test(id)) return undefined
  return id.slice(6, 10) === 'LORD' ? 'BitLord' : 'BitComet'
}

const shadowName = (id: string): string | undefined =>
  /^.[0-9A-Za-z]*-*$/s.test(id.slice(0, 5)) && id[5] === '-' && !id.startsWith('TB100-')
    ? SHADOW.get(id[0]!)
    : undefined

function mainlineName(id: string): string | undefined {
  if (/^M[0-9]/.test(id)) return 'Mainline'
  if (/^Q[0-9]/.test(id)) return 'Queen Bee'
  return /^S3-[0-9]/.test(id) ? 'Amazon AWS S3' : undefined
}

const markedName = (id: string): string | null =>
  MARKS.find(([text, at]) => id.startsWith(text, at))?.[2] ?? null
