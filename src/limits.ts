/** Limits for everything that strangers send. Each has tests at the limit and one step beyond it. */
export const LIMITS = {
  /** Bytes of a datagram that are read; a longer one is cut (docs/behaviours.md U13). */
  datagram: 1496,
  /** Info hashes answered in one UDP scrape: (1496 − 16) / 20. */
  udpScrapeHashes: 74,
  /** Info hashes answered in one HTTP scrape. */
  httpScrapeHashes: 100,
  /** Scrapes of one thread that may wait for a stored count at a time, and for how long. */
  waitingScrapes: 64,
  scrapeWaitMilliseconds: 50,
  /** Bytes of a message to a WebTorrent tracker, levels of objects and lists in it, and info hashes of a scrape. */
  webSocketMessage: 65_536,
  webSocketDepth: 8,
  webSocketScrapeHashes: 100,
  /** Levels of lists and dictionaries that the bencode reader enters. */
  bencodeDepth: 16,
  /**
   * Most peers that the configuration can ask for in one answer: 1,000 IPv6 peers fit the 64 KiB of a datagram.
   */
  peersPerAnswer: 1_000,
  /** Characters of a client's text that a failure reason repeats. */
  echo: 100,
  /** Datagrams that are read, answered and sent together; more would not fit the near caches. */
  udpBatch: 32,
  /**
   * Longest time that reading datagrams may keep a thread from its timers, signals and HTTP; and the time after
   * which they are dropped unread where reading cannot be interrupted.
   */
  udpTurnMilliseconds: 10,
  udpFloodMilliseconds: 250,
  /**
   * Bytes of the kernel's receive buffer for each UDP socket: for datagrams that arrive while a thread is busy.
   */
  udpReceiveBuffer: 8 * 1024 * 1024,
  /** Peer ids of one WebSocket in the same torrent, and torrents that all of them together are in. */
  webSocketSeats: 16,
  webSocketTorrents: 2_000,
  /** Most offers of one announce that the configuration can have relayed. */
  webSocketOffersPerAnnounce: 50,
  /** Messages that are not understood, the last of which closes a WebSocket. */
  webSocketFaults: 10,
  /** Messages of one WebSocket that are read in a second; the others wait. */
  webSocketMessages: 100,
  /** Offers of one WebSocket that are relayed in a second, and after a rest; the others are dropped. */
  webSocketOffers: 100,
  webSocketOffersBurst: 1_000,
  /** Offers that one WebSocket is sent in a second, from all others together. */
  webSocketOffersTo: 200,
  /** Bytes that wait for a client that reads slowly: past the first it gets no more offers, past the second it is closed. */
  webSocketUnsentOffers: 64 * 1024,
  webSocketUnsent: 256 * 1024,
  /** Seconds after which a WebSocket is closed that is in no torrent, or whose peers have expired. */
  webSocketUnused: 120,
  /** Offers of one thread that may be answered, a power of two; when full, the oldest is forgotten. */
  offersUnderWay: 131_072,
  /** Offers and answers that may be under way from one thread to another; one counts for every 4 KiB of it. */
  relayedUnderWay: 4_096,
  /** Addresses whose connection id errors are counted; when full, one with few errors is replaced. */
  banTable: 65_536,
  /**
   * Elements of one bulk request to the management API, all of which are processed together. An info hash costs
   * less than a key, and a body of 2 MiB holds no more of them.
   */
  bulkKeys: 10_000,
  bulkInfoHashes: 50_000,
} as const
