/*
 * What both load generators share: the options, the population of peers that announces, the
 * latency histogram, the watched server process and the report. Everything is drawn from a seed.
 */
#ifndef LOAD_H
#define LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define SECOND 1000000000ull /* all times are nanoseconds of the monotonic clock */

enum kind { CONNECT, ANNOUNCE, SCRAPE, KINDS };

struct options {
  const char *mix;     /* "mixed" or "announce" */
  int port;            /* of the tracker, at 127.0.0.1 */
  int pid;             /* process whose CPU and memory are reported; 0 = none */
  double seconds;      /* measured, after every peer has announced once */
  uint64_t seed;
  uint32_t torrents, peers;
  int want;            /* peers wanted per announce */
  int sockets;         /* each with a loopback source address of its own */
  int window;          /* requests in flight per socket (UDP only; over HTTP it is one) */
  int timeout_ms;      /* a request without an answer for so long is lost, another takes its place */
  int rate;            /* requests per second over all sockets; 0 = as fast as answers come */
  uint32_t keys;       /* authentication keys that the peers carry in turn; 0 = none */
  uint32_t completions; /* downloads that end, spread over the measured seconds (UDP only) */
  int fill;            /* 0 = every peer has announced already, the measured seconds begin at once */
  bool print_hashes;   /* print the info hashes, one a line, and end */
  bool print_keys;     /* print the keys likewise */
};

/* Reads `--name value` pairs; prints the mistake and exits 2 when there is one. */
struct options read_options(int argc, char **argv, struct options defaults);

#define KEY_BYTES 32
#define COMPLETIONS_PER_TORRENT 512 /* each needs a port of its own */

/* Who announces what. Peer p belongs to socket p % sockets. */
struct population {
  uint64_t seed;
  uint32_t peers;
  uint32_t sockets;
  uint32_t *torrent; /* of each peer: every torrent has one peer, the rest is drawn Zipf-like */
  uint32_t key_count;
  char (*keys)[KEY_BYTES]; /* peer p carries number p % key_count */
};

struct population make_population(const struct options *options);
void print_hashes(const struct options *options);
void print_keys(const struct options *options);

/* A well-mixed 64-bit value of `x`; also the step of the random number generator below. */
static inline uint64_t mix64(uint64_t x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

static inline uint64_t next_random(uint64_t *state) {
  return mix64(*state += 0x9e3779b97f4a7c15ull);
}

void info_hash(const struct population *people, uint32_t torrent, uint8_t hash[20]);
void peer_id(const struct population *people, uint32_t peer, uint8_t id[20]);
/* The port a peer listens on: distinct among the peers of one socket, up to 64,000 of them. */
static inline uint16_t peer_port(const struct population *people, uint32_t peer) {
  return (uint16_t)(1024 + peer / people->sockets % 64000);
}
/* Three peers in four have nothing left to download. */
static inline bool is_seeder(const struct population *people, uint32_t peer) {
  return (mix64(people->seed + peer) & 3) != 0;
}

/* The source address of socket number `index`: 127.0.0.2 and up. */
struct sockaddr_in source_address(int index);
struct sockaddr_in tracker_address(int port);

uint64_t now_ns(void);

/* Whether somebody asked for the end (SIGTERM): the report is made of what was measured until then. */
bool is_asked_to_end(void);

/* Counts of the measured seconds. */
struct tally {
  uint64_t answers[KINDS];
  uint64_t errors;     /* well-formed refusals */
  uint64_t malformed;  /* answers that are not what the protocol says */
  uint64_t lost;       /* requests without an answer within the time limit */
  uint64_t unsent;     /* requests the kernel did not take */
  uint64_t reconnects; /* connections opened because the tracker closed the one before */
  uint64_t peers_told; /* in all announce answers */
  uint64_t idle_ns;    /* time in which the generator had nothing to do */
  uint64_t completions; /* downloads whose end the tracker has confirmed */
  uint64_t completions_late; /* those of them that it confirmed behind the measured seconds */
};

void record_latency(uint64_t ns);
void forget_latencies(void);

/* What the operating system has charged to the watched process so far. */
struct usage { uint64_t user_ms, system_ms, resident_kb; };
struct usage read_usage(int pid);

/* Prints the result as one JSON object on stdout. */
void report(const struct options *options, const struct tally *tally, uint64_t elapsed_ns,
            uint64_t fill_ns, struct usage before, struct usage after);

/* Prints a message on stderr and exits 1. */
_Noreturn void fail(const char *message);

#endif
