/*
 * Loads a UDP tracker (BEP 15, auth keys by BEP 41) like many clients: sockets with a window of
 * requests in flight each. Every peer announces once, then the measured seconds begin. Spins
 * instead of sleeping, so that the tracker never pays for waking it up.
 */
#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WINDOW_MAX 64
#define ROOM 2048
#define TURN_NS 40000                   /* a turn takes at least this long */
#define REFRESH_NS (60 * SECOND)        /* a connection id lives for 120 s */
#define SILENCE_NS (10 * SECOND)        /* gives up after this long without any answer */
#define SCAN_NS (20 * SECOND / 1000)    /* between two searches for lost requests */

#define DRAIN_NS (5 * SECOND)           /* to confirm completions after the measured seconds */

#define ANNOUNCE_BYTES 98
#define KEY_PATH "/announce/"           /* of the announce URL of a client with a key */
#define KEY_OPTION_BYTES (2 + sizeof KEY_PATH - 1 + KEY_BYTES)
#define REQUEST_MAX (ANNOUNCE_BYTES + KEY_OPTION_BYTES)

/*
 * The purpose of an announce. VISIT: a peer of the population. BEGIN and END: a completed download,
 * by a peer of its own, which first has bytes left and, once that is answered, none. BEGIN and END,
 * and VISIT while filling, are repeated until they are answered. A repeat changes nothing in the
 * tracker, so that it knows exactly as many completions as are counted here.
 */
struct purpose { enum { VISIT, BEGIN, END } what; uint32_t number; };
#define COMPLETION_PORT 65024           /* and up: the population's are below */

/* A request in flight. Number and generation of the slot make the transaction id. */
struct slot {
  uint64_t sent;
  uint32_t generation;
  enum kind kind;
  bool busy;
  struct purpose purpose;               /* of an announce */
};

struct client {
  int fd;
  uint32_t number;
  uint64_t connection;                  /* as received */
  uint64_t connected_at;
  bool has_connection, wants_connection;
  uint32_t next_peer;                   /* peers announce in turn */
  struct slot slots[WINDOW_MAX];
  uint8_t free[WINDOW_MAX];             /* stack of free slots */
  int free_count;
  uint32_t next_completion;             /* the same for completions */
  struct purpose open[WINDOW_MAX];      /* stack of announces to be made first */
  int open_count;                       /* at most the window, less those in flight */
};

static struct options options;
static struct population people;
static struct client *clients;
static struct tally tally;
static uint64_t random_state, last_answer;
static uint64_t filled;                 /* announces answered while filling */
static uint64_t issued, paced_from;     /* for `--rate` */
static bool filling = true, mixed;
static bool draining;                   /* only completions are sent */
static size_t request_bytes[KINDS] = {16, ANNOUNCE_BYTES, 36};

static uint8_t outgoing[KINDS][WINDOW_MAX * REQUEST_MAX];
static uint32_t outgoing_count[KINDS];

static void put32(uint8_t *at, uint32_t value) {
  value = htonl(value);
  memcpy(at, &value, 4);
}

static void write_connect(uint8_t *at) {
  put32(at, 0x417);
  put32(at + 4, 0x27101980);
}

/* The path of the announce URL as an option (BEP 41). All have one length. */
static void write_key_option(uint32_t peer, uint8_t *at) {
  at[0] = 2;                            /* URL data */
  at[1] = KEY_OPTION_BYTES - 2;
  memcpy(at + 2, KEY_PATH, sizeof KEY_PATH - 1);
  memcpy(at + 1 + sizeof KEY_PATH, people.keys[peer % people.key_count], KEY_BYTES);
}

static void write_visit(uint32_t peer, uint8_t *at) {
  uint16_t port = htons(peer_port(&people, peer));
  info_hash(&people, people.torrent[peer], at + 16);
  peer_id(&people, peer, at + 36);
  put32(at + 68, is_seeder(&people, peer) ? 0 : 1 << 20);
  put32(at + 80, filling ? 2 : 0);      /* event: started, or none */
  put32(at + 88, peer);
  memcpy(at + 96, &port, 2);
}

static void write_completion(struct purpose purpose, uint8_t *at) {
  uint16_t port = htons((uint16_t)(COMPLETION_PORT + purpose.number / options.torrents));
  info_hash(&people, purpose.number % options.torrents, at + 16);
  peer_id(&people, people.peers + purpose.number, at + 36);
  put32(at + 68, purpose.what == END ? 0 : 1 << 20);
  put32(at + 80, purpose.what == END ? 1 : 2); /* event: completed, or started */
  memcpy(at + 96, &port, 2);
}

static void write_announce(struct purpose purpose, uint8_t *at) {
  memset(at + 56, 0, 40);
  put32(at + 92, (uint32_t)options.want);
  if (purpose.what == VISIT) write_visit(purpose.number, at);
  else write_completion(purpose, at);
  if (people.key_count) write_key_option(purpose.number, at + ANNOUNCE_BYTES);
}

static void write_scrape(uint8_t *at) {
  uint32_t peer = (uint32_t)(next_random(&random_state) % people.peers);
  info_hash(&people, people.torrent[peer], at + 16);
}

static enum kind choose(struct client *client, uint64_t now) {
  if (!client->has_connection) return CONNECT;
  if (client->wants_connection || now - client->connected_at > REFRESH_NS) {
    client->wants_connection = false;
    client->connected_at = now;         /* one refresh at a time; the answer sets it again */
    return CONNECT;
  }
  if (filling || draining || !mixed) return ANNOUNCE;
  uint64_t draw = next_random(&random_state) % 101;
  return draw < 50 ? CONNECT : draw < 100 ? ANNOUNCE : SCRAPE;
}

/* The number of completions that may have begun by now. */
static uint32_t completions_due(uint64_t now) {
  if (filling) return 0;
  double share = (double)(now - paced_from) / (options.seconds * (double)SECOND);
  return draining || share > 1 ? options.completions : (uint32_t)(share * options.completions);
}

/* The open ones go first, so that their stack never overflows. */
static struct purpose next_purpose(struct client *client, uint64_t now) {
  struct purpose next = {VISIT, client->next_peer};
  if (client->open_count) return client->open[--client->open_count];
  if (client->next_completion < completions_due(now)) {
    next = (struct purpose){BEGIN, client->next_completion};
    client->next_completion += people.sockets;
    return next;
  }
  if (next.number >= people.peers) next.number = client->number;
  client->next_peer = next.number + people.sockets;
  return next;
}

/* Puts an announce without a good answer back, if it must be repeated. */
static void reopen(struct client *client, const struct slot *slot) {
  if (slot->kind == ANNOUNCE && (filling || slot->purpose.what != VISIT))
    client->open[client->open_count++] = slot->purpose;
}

static void add_request(struct client *client, uint64_t now) {
  int number = client->free[--client->free_count];
  struct slot *slot = &client->slots[number];
  slot->kind = choose(client, now);
  slot->generation = (slot->generation + 1) & 0xffffff;
  slot->sent = now;
  slot->busy = true;
  uint8_t *at = outgoing[slot->kind] + outgoing_count[slot->kind]++ * request_bytes[slot->kind];
  if (slot->kind == CONNECT) write_connect(at);
  else memcpy(at, &client->connection, 8);
  if (slot->kind == ANNOUNCE) write_announce(slot->purpose = next_purpose(client, now), at);
  if (slot->kind == SCRAPE) write_scrape(at);
  put32(at + 8, slot->kind);
  put32(at + 12, slot->generation << 8 | (uint32_t)number);
}

/*
 * Sends one message for each kind, which the kernel cuts into datagrams of equal size (GSO).
 * Without it the generator would do as much work per request as the echo per answer.
 */
static void send_outgoing(struct client *client) {
  struct mmsghdr messages[KINDS];
  struct iovec pieces[KINDS];
  _Alignas(struct cmsghdr) uint8_t control[KINDS][CMSG_SPACE(sizeof(uint16_t))];
  unsigned count = 0;
  for (int kind = 0; kind < KINDS; kind++) {
    if (!outgoing_count[kind]) continue;
    uint16_t bytes = (uint16_t)request_bytes[kind];
    pieces[count] = (struct iovec){outgoing[kind], outgoing_count[kind] * bytes};
    struct msghdr *header = &messages[count++].msg_hdr;
    *header = (struct msghdr){.msg_iov = &pieces[count - 1], .msg_iovlen = 1};
    if (outgoing_count[kind] == 1) continue;
    header->msg_control = control[kind];
    header->msg_controllen = sizeof control[kind];
    struct cmsghdr *item = CMSG_FIRSTHDR(header);
    item->cmsg_level = SOL_UDP;
    item->cmsg_type = UDP_SEGMENT;
    item->cmsg_len = CMSG_LEN(sizeof bytes);
    memcpy(CMSG_DATA(item), &bytes, sizeof bytes);
  }
  if (sendmmsg(client->fd, messages, count, 0) < (int)count) tally.unsent++;
}

/* While filling, every peer has one turn: the number of turns left. */
static int64_t visits_left(const struct client *client) {
  if (client->next_peer >= people.peers) return 0;
  return (people.peers - 1 - client->next_peer) / people.sockets + 1;
}

/* The number of requests that `--rate` allows now; while filling and draining, the number left. */
static int64_t allowance(const struct client *client, uint64_t now) {
  if (!client->has_connection) return INT64_MAX;
  if (filling) return client->open_count + visits_left(client);
  if (draining) return client->open_count + (client->next_completion < options.completions);
  if (!options.rate) return INT64_MAX;
  return (int64_t)((double)(now - paced_from) / SECOND * options.rate) - (int64_t)issued;
}

static void send_requests(struct client *client, uint64_t now) {
  int64_t allowed = allowance(client, now);
  int count = client->free_count < allowed ? client->free_count : (int)allowed;
  if (count <= 0) return;
  memset(outgoing_count, 0, sizeof outgoing_count);
  for (int i = 0; i < count; i++) add_request(client, now);
  issued += (uint64_t)count;
  send_outgoing(client);
}

static uint32_t get32(const uint8_t *at) {
  uint32_t value;
  memcpy(&value, at, 4);
  return ntohl(value);
}

static bool is_well_formed(enum kind kind, const uint8_t *packet, size_t length) {
  if (get32(packet) != kind) return false;
  if (kind == ANNOUNCE) return length >= 20 && (length - 20) % 6 == 0;
  return length == (kind == CONNECT ? 16 : 8 + 12);
}

static void take_error(struct client *client, size_t length) {
  if (length >= 8) tally.errors++;
  else tally.malformed++;
  client->wants_connection = true;
}

static void take_purpose(struct client *client, struct slot *slot) {
  filled += filling;
  if (slot->purpose.what == BEGIN) {
    client->open[client->open_count++] = (struct purpose){END, slot->purpose.number};
  } else if (slot->purpose.what == END) {
    tally.completions++;
    tally.completions_late += draining;
  }
}

static void take_kind(struct client *client, struct slot *slot, const uint8_t *packet,
                      size_t length, uint64_t now) {
  tally.answers[slot->kind]++;
  if (slot->kind == CONNECT) {
    memcpy(&client->connection, packet + 8, 8);
    client->has_connection = true;
    client->connected_at = now;
  }
  if (slot->kind == ANNOUNCE) {
    tally.peers_received += (length - 20) / 6;
    take_purpose(client, slot);
  }
}

static void take_answer(struct client *client, const uint8_t *packet, size_t length, uint64_t now) {
  uint32_t transaction = length >= 8 ? get32(packet + 4) : UINT32_MAX;
  uint32_t number = transaction & 0xff;
  struct slot *slot = &client->slots[number % WINDOW_MAX];
  if (number >= (uint32_t)options.window || slot->generation != transaction >> 8) {
    tally.malformed++;
    return;
  }
  if (!slot->busy) return;              /* answered twice, or already counted as lost */
  slot->busy = false;
  client->free[client->free_count++] = (uint8_t)number;
  if (!draining) record_latency(now - slot->sent);
  bool refused = get32(packet) == 3;
  bool good = !refused && is_well_formed(slot->kind, packet, length);
  if (good || !filling) last_answer = now; /* a filling that is only refused must end */
  if (good) return take_kind(client, slot, packet, length, now);
  reopen(client, slot);
  if (refused) take_error(client, length);
  else tally.malformed++;
}

static uint8_t incoming[WINDOW_MAX][ROOM];
static struct mmsghdr arrivals[WINDOW_MAX];
static struct iovec arrival_pieces[WINDOW_MAX];

static void prepare_arrivals(void) {
  for (int i = 0; i < WINDOW_MAX; i++) {
    arrival_pieces[i] = (struct iovec){incoming[i], ROOM};
    arrivals[i].msg_hdr = (struct msghdr){.msg_iov = &arrival_pieces[i], .msg_iovlen = 1};
  }
}

static void receive(struct client *client, uint64_t now) {
  int got = recvmmsg(client->fd, arrivals, WINDOW_MAX, MSG_DONTWAIT, NULL);
  for (int i = 0; i < got; i++) take_answer(client, incoming[i], arrivals[i].msg_len, now);
}

static void drop_lost(uint64_t now) {
  uint64_t limit = (uint64_t)options.timeout_ms * (SECOND / 1000);
  for (int c = 0; c < options.sockets; c++)
    for (int i = 0; i < options.window; i++) {
      struct slot *slot = &clients[c].slots[i];
      if (!slot->busy || now - slot->sent < limit) continue;
      slot->busy = false;
      clients[c].free[clients[c].free_count++] = (uint8_t)i;
      reopen(&clients[c], slot);
      tally.lost++;
    }
}

static void open_client(int number) {
  struct client *client = &clients[number];
  struct sockaddr_in source = source_address(number), target = tracker_address(options.port);
  client->number = client->next_peer = client->next_completion = (uint32_t)number;
  client->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  if (client->fd < 0 || bind(client->fd, (struct sockaddr *)&source, sizeof source) ||
      connect(client->fd, (struct sockaddr *)&target, sizeof target))
    fail("socket");
  for (int i = 0; i < options.window; i++) client->free[client->free_count++] = (uint8_t)i;
}

/* Reads every socket, then sends what may be sent. */
static void turn(uint64_t now) {
  for (int c = 0; c < options.sockets; c++) {
    receive(&clients[c], now);
    if (clients[c].free_count) send_requests(&clients[c], now);
  }
}

static bool is_done(void) {
  if (filling) return filled >= people.peers;
  return draining && tally.completions >= options.completions;
}

/* Runs until `end`, or until everything is done. */
static uint64_t run(uint64_t end) {
  static uint64_t scanned;
  uint64_t now = now_ns();
  while (now < end && !is_done() && !is_stopped()) {
    turn(now);
    if (now - scanned > SCAN_NS) drop_lost(scanned = now);
    if (now - last_answer > SILENCE_NS) errno = ETIMEDOUT, fail("waiting for an answer");
    uint64_t worked = now_ns(), resume = now + TURN_NS;
    for (now = worked; now < resume; now = now_ns()) __builtin_ia32_pause();
    tally.idle_ns += now - worked;
  }
  return now;
}

int main(int argc, char **argv) {
  struct options defaults = {.mix = "mixed", .seconds = 3, .seed = 1, .torrents = 100000,
                             .peers = 200000, .want = 30, .sockets = 8, .window = 24,
                             .timeout_ms = 500, .fill = 1};
  options = read_options(argc, argv, defaults);
  if (options.print_hashes) return print_hashes(&options), 0;
  if (options.print_keys) return print_keys(&options), 0;
  if (options.keys) request_bytes[ANNOUNCE] += KEY_OPTION_BYTES;
  filling = options.fill;
  mixed = !strcmp(options.mix, "mixed");
  random_state = options.seed;
  people = make_population(&options);
  clients = calloc((size_t)options.sockets, sizeof *clients);
  if (!clients) fail("memory");
  prepare_arrivals();
  for (int c = 0; c < options.sockets; c++) open_client(c);

  uint64_t opened = last_answer = now_ns();
  uint64_t began = filling ? run(UINT64_MAX) : opened;
  filling = false;
  paced_from = began;
  issued = 0;
  memset(&tally, 0, sizeof tally);
  forget_latencies();
  struct usage before = read_usage(options.pid);
  uint64_t ended = run(began + (uint64_t)(options.seconds * (double)SECOND));
  struct usage after = read_usage(options.pid);
  struct tally measured = tally;
  draining = true;
  run(ended + DRAIN_NS);
  measured.completions = tally.completions;
  measured.completions_late = tally.completions_late;
  report(&options, &measured, ended - began, began - opened, before, after);
}
