/*
 * Shared by both load generators: options, the population of peers that announce, the latency
 * histogram, usage of the server process, the report. The population is drawn from a seed.
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
  int pid;             /* of the process whose CPU time and memory are reported; 0 = none */
  double seconds;      /* to measure, after every peer has announced once */
  uint64_t seed;
  uint32_t torrents, peers;
  int want;            /* peers asked for in each announce */
  int sockets;         /* each has its own loopback source address */
  int window;          /* requests in flight per socket (UDP only; one over HTTP) */
  int timeout_ms;      /* a request without an answer for this long is lost */
  int rate;            /* requests per second over all sockets; 0 = as fast as answers come */
  uint32_t keys;       /* auth keys that the peers use in turn; 0 = none */
  uint32_t completions; /* completed downloads, spread over the measured seconds (UDP only) */
  int fill;            /* 0 = every peer has announced already: measuring begins at once */
  bool print_hashes;   /* print the info hashes, one a line, and exit */
  bool print_keys;     /* the same for the auth keys */
};

/* Reads `--name value` pairs. On a mistake, prints it and exits with 2. */
struct options read_options(int argc, char **argv, struct options defaults);

#define KEY_BYTES 32
#define COMPLETIONS_PER_TORRENT 512 /* each needs its own port */

/* The peers that announce. Peer p belongs to socket p % sockets. */
struct population {
  uint64_t seed;
  uint32_t peers;
  uint32_t sockets;
  uint32_t *torrent; /* of each peer: each has one peer, the others follow Zipf's law */
  uint32_t key_count;
  char (*keys)[KEY_BYTES]; /* peer p uses number p % key_count */
};

struct population make_population(const struct options *options);
void print_hashes(const struct options *options);
void print_keys(const struct options *options);

/* Mixes the bits of `x`; also the step of the random number generator below. */
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
/* The port that a peer announces: distinct among the first 64,000 peers of a socket. */
static inline uint16_t peer_port(const struct population *people, uint32_t peer) {
  return (uint16_t)(1024 + peer / people->sockets % 64000);
}
/* Three peers in four. */
static inline bool is_seeder(const struct population *people, uint32_t peer) {
  return (mix64(people->seed + peer) & 3) != 0;
}

/* The source address of socket number `index`: 127.0.0.2 and up. */
struct sockaddr_in source_address(int index);
struct sockaddr_in tracker_address(int port);

uint64_t now_ns(void);

/* Whether SIGTERM came: the report then covers what was measured until it. */
bool is_stopped(void);

/* Counts over the measured seconds. */
struct tally {
  uint64_t answers[KINDS];
  uint64_t errors;     /* well-formed refusals */
  uint64_t malformed;  /* answers that break the protocol */
  uint64_t lost;       /* requests without an answer within the time limit */
  uint64_t unsent;     /* requests that the kernel did not take */
  uint64_t reconnects; /* connections opened because the tracker closed the previous one */
  uint64_t peers_received; /* in all announce answers */
  uint64_t idle_ns;    /* time in which the generator had nothing to do */
  uint64_t completions; /* completed downloads that the tracker has confirmed */
  uint64_t completions_late; /* those of them confirmed after the measured seconds */
};

void record_latency(uint64_t ns);
void forget_latencies(void);

/* CPU time and memory of the server process so far. */
struct usage { uint64_t user_ms, system_ms, resident_kb; };
struct usage read_usage(int pid);

/* Prints the result as one JSON object on stdout. */
void report(const struct options *options, const struct tally *tally, uint64_t elapsed_ns,
            uint64_t fill_ns, struct usage before, struct usage after);

/* Prints a message on stderr and exits with 1. */
_Noreturn void fail(const char *message);

#endif
