/* The shared part of the load generators; see load.h. */
#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The popularity of the torrent of rank k is 1 / k^EXPONENT. */
#define EXPONENT 1.0

_Noreturn void fail(const char *message) {
  perror(message);
  exit(1);
}

uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static volatile sig_atomic_t stopped;

static void stop(int signal) {
  (void)signal;
  stopped = 1;
}

bool is_stopped(void) {
  return stopped;
}

static bool set_option(struct options *o, const char *name, const char *value) {
  struct { const char *name; int *at; } numbers[] = {
    {"--port", &o->port}, {"--pid", &o->pid}, {"--want", &o->want}, {"--sockets", &o->sockets},
    {"--window", &o->window}, {"--timeout-ms", &o->timeout_ms}, {"--rate", &o->rate},
    {"--fill", &o->fill},
  };
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    if (!strcmp(name, numbers[i].name)) return *numbers[i].at = atoi(value), true;
  if (!strcmp(name, "--mix")) return o->mix = value, true;
  if (!strcmp(name, "--seconds")) return o->seconds = atof(value), true;
  if (!strcmp(name, "--seed")) return o->seed = strtoull(value, NULL, 10), true;
  if (!strcmp(name, "--torrents")) return o->torrents = (uint32_t)atol(value), true;
  if (!strcmp(name, "--peers")) return o->peers = (uint32_t)atol(value), true;
  if (!strcmp(name, "--keys")) return o->keys = (uint32_t)atol(value), true;
  if (!strcmp(name, "--completions")) return o->completions = (uint32_t)atol(value), true;
  return false;
}

struct options read_options(int argc, char **argv, struct options options) {
  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "--print-hashes")) options.print_hashes = true;
    else if (!strcmp(argv[i], "--print-keys")) options.print_keys = true;
    else if (i + 1 < argc && set_option(&options, argv[i], argv[i + 1])) i++;
    else {
      fprintf(stderr, "%s: unknown option or missing value: %s\n", argv[0], argv[i]);
      exit(2);
    }
  }
  bool known_mix = !strcmp(options.mix, "mixed") || !strcmp(options.mix, "announce");
  if (!known_mix || options.torrents < 1 || options.peers < options.torrents ||
      options.sockets < 1 || options.sockets > 4096 || options.window < 1 ||
      options.window > 64 || options.peers < (uint32_t)options.sockets ||
      options.completions / options.torrents >= COMPLETIONS_PER_TORRENT) {
    fprintf(stderr, "%s: a value is out of bounds\n", argv[0]);
    exit(2);
  }
  signal(SIGTERM, stop);
  return options;
}

/* Cumulative popularity: a draw from 0 to 1 chooses the first torrent whose sum reaches it. */
static double *popularity(uint32_t torrents) {
  double *sum = malloc(torrents * sizeof *sum);
  if (!sum) fail("memory");
  double total = 0;
  for (uint32_t k = 0; k < torrents; k++) sum[k] = total += pow(k + 1, -EXPONENT);
  for (uint32_t k = 0; k < torrents; k++) sum[k] /= total;
  return sum;
}

static uint32_t draw_torrent(const double *sum, uint32_t torrents, uint64_t *random) {
  double point = (double)(next_random(random) >> 11) * 0x1p-53;
  uint32_t low = 0, high = torrents - 1;
  while (low < high) {
    uint32_t middle = (low + high) / 2;
    if (sum[middle] < point) low = middle + 1;
    else high = middle;
  }
  return low;
}

/* Letters and digits. Two numbers of one seed give the same key only by a hash collision. */
static void write_key(uint64_t seed, uint32_t number, char key[KEY_BYTES]) {
  static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  uint64_t state = mix64(mix64(~seed) ^ number);
  for (int i = 0; i < KEY_BYTES; i++) key[i] = alphabet[next_random(&state) % 62];
}

/* Made in advance, so that a request with a key costs hardly more than one without. */
static char (*make_keys(uint64_t seed, uint32_t count))[KEY_BYTES] {
  char (*keys)[KEY_BYTES] = malloc((count ? count : 1) * sizeof *keys);
  if (!keys) fail("memory");
  for (uint32_t number = 0; number < count; number++) write_key(seed, number, keys[number]);
  return keys;
}

struct population make_population(const struct options *options) {
  struct population people = {.seed = options->seed, .peers = options->peers,
                              .sockets = (uint32_t)options->sockets, .key_count = options->keys,
                              .keys = make_keys(options->seed, options->keys)};
  uint32_t *torrent = people.torrent = malloc(people.peers * sizeof *torrent);
  if (!torrent) fail("memory");
  uint64_t random = options->seed;
  double *sum = popularity(options->torrents);
  for (uint32_t p = 0; p < people.peers; p++)
    torrent[p] = p < options->torrents ? p : draw_torrent(sum, options->torrents, &random);
  free(sum);
  for (uint32_t p = people.peers - 1; p > 0; p--) {
    uint32_t other = (uint32_t)(next_random(&random) % (p + 1));
    uint32_t kept = torrent[p];
    torrent[p] = torrent[other];
    torrent[other] = kept;
  }
  return people;
}

void info_hash(const struct population *people, uint32_t torrent, uint8_t hash[20]) {
  uint64_t state = mix64(people->seed) ^ ((uint64_t)torrent << 20);
  uint64_t words[3] = {mix64(state), mix64(state + 1), mix64(state + 2)};
  memcpy(hash, words, 20);
}

void peer_id(const struct population *people, uint32_t peer, uint8_t id[20]) {
  static const char hex[] = "0123456789abcdef";
  uint64_t tail = mix64(people->seed ^ ~(uint64_t)peer);
  memcpy(id, "-BN0100-", 8);
  for (int i = 8; i < 20; i++, tail >>= 4) id[i] = (uint8_t)hex[tail & 15];
}

void print_hashes(const struct options *options) {
  struct population people = {.seed = options->seed};
  for (uint32_t torrent = 0; torrent < options->torrents; torrent++) {
    uint8_t hash[20];
    info_hash(&people, torrent, hash);
    for (int i = 0; i < 20; i++) printf("%02x", hash[i]);
    putchar('\n');
  }
}

void print_keys(const struct options *options) {
  char (*keys)[KEY_BYTES] = make_keys(options->seed, options->keys);
  for (uint32_t number = 0; number < options->keys; number++)
    printf("%.*s\n", KEY_BYTES, keys[number]);
}

struct sockaddr_in source_address(int index) {
  uint32_t host = INADDR_LOOPBACK + 1 + (uint32_t)index;
  return (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(host)};
}

struct sockaddr_in tracker_address(int port) {
  return (struct sockaddr_in){.sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* Latencies: 32 buckets for each power of two, so percentiles are exact to 3 %. */
#define SHARE 32
static uint64_t buckets[64 * SHARE];

void record_latency(uint64_t ns) {
  int power = 63 - __builtin_clzll(ns | SHARE);
  uint64_t part = (ns >> (power - 5)) & (SHARE - 1);
  buckets[power * SHARE + (int)part]++;
}

void forget_latencies(void) {
  memset(buckets, 0, sizeof buckets);
}

/* Microseconds that `share` of all latencies do not exceed: the upper end of their last bucket. */
static double percentile(double share) {
  uint64_t total = 0, seen = 0;
  for (int i = 0; i < 64 * SHARE; i++) total += buckets[i];
  for (int i = 0; i < 64 * SHARE; i++) {
    seen += buckets[i];
    if (total && (double)seen >= share * (double)total)
      return ldexp(1 + (i % SHARE + 1) / (double)SHARE, i / SHARE) / 1000;
  }
  return 0;
}

struct usage read_usage(int pid) {
  struct usage usage = {0, 0, 0};
  char path[64], text[4096];
  unsigned long long user = 0, system = 0, pages = 0;
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE *file = pid ? fopen(path, "r") : NULL;
  if (!file) return usage;
  text[fread(text, 1, sizeof text - 1, file)] = 0;
  fclose(file);
  /* The fields behind the name in parentheses: state is 3, utime 14, stime 15, rss 24. */
  char *rest = strrchr(text, ')');
  if (rest)
    sscanf(rest + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d "
                     "%*d %*u %*u %llu", &user, &system, &pages);
  uint64_t tick_ms = 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
  usage.user_ms = user * tick_ms;
  usage.system_ms = system * tick_ms;
  usage.resident_kb = pages * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
  return usage;
}

static void number(const char *name, double value) {
  printf("\"%s\":%.6g,", name, value);
}

/* Prints all digits. */
static void count(const char *name, uint64_t value) {
  printf("\"%s\":%llu,", name, (unsigned long long)value);
}

void report(const struct options *options, const struct tally *tally, uint64_t elapsed_ns,
            uint64_t fill_ns, struct usage before, struct usage after) {
  double seconds = (double)elapsed_ns / SECOND;
  uint64_t answers = tally->answers[CONNECT] + tally->answers[ANNOUNCE] + tally->answers[SCRAPE];
  uint64_t announces = tally->answers[ANNOUNCE];
  printf("{\"mix\":\"%s\",", options->mix);
  number("seconds", seconds);
  number("fillSeconds", (double)fill_ns / SECOND);
  number("perSecond", (double)answers / seconds);
  number("announcesPerSecond", (double)announces / seconds);
  number("connects", (double)tally->answers[CONNECT]);
  number("announces", (double)announces);
  number("scrapes", (double)tally->answers[SCRAPE]);
  number("errors", (double)tally->errors);
  number("malformed", (double)tally->malformed);
  number("lost", (double)tally->lost);
  number("unsent", (double)tally->unsent);
  number("reconnects", (double)tally->reconnects);
  count("completions", tally->completions);
  count("completionsLate", tally->completions_late);
  number("peersPerAnswer", announces ? (double)tally->peers_received / (double)announces : 0);
  number("generatorIdle", (double)tally->idle_ns / (double)elapsed_ns);
  number("userMs", (double)(after.user_ms - before.user_ms));
  number("systemMs", (double)(after.system_ms - before.system_ms));
  number("residentKb", (double)after.resident_kb);
  number("p50", percentile(0.5));
  number("p90", percentile(0.9));
  number("p99", percentile(0.99));
  printf("\"p999\":%.6g}\n", percentile(0.999));
}
