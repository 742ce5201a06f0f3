/** Ceilings for whatever strangers send. Each has a test that stands on it and one step past. */
export const LIMITS = {
  /** Bytes of a datagram that are looked at; a longer one is cut (spec/torrust-udp-and-core A2). */
  datagram: 1496,
  /** Info hashes answered in one UDP scrape: (1496 − 16) / 20. */
  udpScrapeHashes: 74,
  /** Info hashes answered in one HTTP scrape. */
  httpScrapeHashes: 100,
  /** Scrapes of a thread that wait for a stored count at once, and how long each does. */
  waitingScrapes: 64,
  scrapeWaitMilliseconds: 50,
  /** Deepest list or dictionary the bencode reader enters. */
  bencodeDepth: 16,
  /** Most peers one answer can hold, whatever the configuration asks: 1,400 bytes of IPv6 peers
   *  would not fit one datagram, 1,000 of them still fit the 64 KiB that UDP can carry. */
  peersPerAnswer: 1_000,
  /** Characters of a client's own text that a failure reason repeats. */
  echo: 100,
  /** Datagrams that are read, answered and sent together: more no longer fit the near caches. */
  udpBatch: 32,
  /** Longest time that reading datagrams may keep a thread from its timers, signals and HTTP; and
   *  where reading cannot be interrupted, the time after which they are dropped unread. */
  udpTurnMilliseconds: 10,
  udpFloodMilliseconds: 250,
  /** Bytes of the kernel's receive buffer for each UDP socket: room for what comes while a thread is busy. */
  udpReceiveBuffer: 8 * 1024 * 1024,
  /** Addresses whose connection-id errors are remembered; the least guilty make room. */
  banTable: 65_536,
  /** Elements of one bulk request to the management API: each is read, checked, stored and answered
   *  in one go. An info hash costs less than a key, and 2 MiB of body hold no more of them. */
  bulkKeys: 10_000,
  bulkInfoHashes: 50_000,
} as const
