/*
 * Loads an HTTP tracker (BEP 3, 23, 48) like many clients: keep-alive connections with one request
 * in flight each. Every peer announces once, then the measured seconds begin. A tracker that closes
 * its connections gets a new one for every request. Spins instead of sleeping.
 */
#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOM 16384
#define TURN_NS 40000                   /* a turn takes at least this long */
#define SILENCE_NS (10 * SECOND)        /* gives up after this long without any answer */
#define SCAN_NS (20 * SECOND / 1000)    /* between two searches for lost requests */

struct client {
  int fd;
  uint32_t number;
  uint32_t peer, next_peer;             /* peers announce in turn; `peer` announced last */
  uint64_t sent;
  enum kind kind;
  bool waiting;                         /* a request is in flight */
  size_t got;                           /* bytes of the answer so far */
  char answer[ROOM];
};

static struct options options;
static struct population people;
static struct client *clients;
static struct tally tally;
static uint64_t random_state, last_answer;
static uint64_t filled;                 /* announces answered while filling */
static uint64_t issued, paced_from;     /* for `--rate` */
static bool filling = true, mixed;
static bool closes_silently;            /* seen: it closes after an answer unannounced */
static int poller;

/* Escapes like real clients: unreserved characters stay, others become %xx. */
static char *escape(char *at, const uint8_t hash[20]) {
  static const char hex[] = "0123456789abcdef";
  for (int i = 0; i < 20; i++) {
    uint8_t byte = hash[i];
    bool plain = (byte >= '0' && byte <= '9') || ((byte | 32) >= 'a' && (byte | 32) <= 'z') ||
                 byte == '-' || byte == '.' || byte == '_' || byte == '~';
    if (plain) *at++ = (char)byte;
    else *at++ = '%', *at++ = hex[byte >> 4], *at++ = hex[byte & 15];
  }
  return at;
}

/* Everything before the info hash: `/announce` or `/announce/KEY`. */
static char *write_target(char *at, const char *path, uint32_t peer) {
  at = stpcpy(stpcpy(at, "GET "), path);
  if (people.key_count) at += sprintf(at, "/%.*s", KEY_BYTES, people.keys[peer % people.key_count]);
  return stpcpy(at, "?info_hash=");
}

static char *write_announce(struct client *client, char *at) {
  uint32_t peer = client->next_peer < people.peers ? client->next_peer : client->number;
  uint8_t hash[20], id[20];
  client->peer = peer;
  client->next_peer = peer + people.sockets;
  info_hash(&people, people.torrent[peer], hash);
  peer_id(&people, peer, id);
  at = escape(write_target(at, "/announce", peer), hash);
  return at + sprintf(at, "&peer_id=%.20s&port=%u&uploaded=0&downloaded=0&left=%s&compact=1"
                          "&numwant=%d%s", (const char *)id, (unsigned)peer_port(&people, peer),
                      is_seeder(&people, peer) ? "0" : "1048576", options.want,
                      filling ? "&event=started" : "");
}

static char *write_scrape(char *at) {
  uint8_t hash[20];
  uint32_t peer = (uint32_t)(next_random(&random_state) % people.peers);
  info_hash(&people, people.torrent[peer], hash);
  return escape(write_target(at, "/scrape", peer), hash);
}

/* Without Accept-Encoding: not every tracker can compress, and all must do the same work. */
static void send_request(struct client *client, uint64_t now) {
  char request[1024], *end;
  bool scrape = mixed && !filling && next_random(&random_state) % 51 == 0;
  client->kind = scrape ? SCRAPE : ANNOUNCE;
  end = scrape ? write_scrape(request) : write_announce(client, request);
  end += sprintf(end, " HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: bench/1.0\r\n"
                      "Connection: keep-alive\r\n\r\n", options.port);
  if (send(client->fd, request, (size_t)(end - request), MSG_NOSIGNAL) != end - request)
    tally.unsent++;
  client->got = 0;
  client->sent = now;
  client->waiting = true;
  issued++;
}

/* Whether `--rate` allows another request now. While filling, every peer has one turn. */
static bool is_allowed(const struct client *client, uint64_t now) {
  if (filling) return client->next_peer < people.peers;
  if (!options.rate) return true;
  return (double)issued < (double)(now - paced_from) / SECOND * options.rate;
}

static void open_connection(struct client *client) {
  struct sockaddr_in source = source_address((int)client->number);
  struct sockaddr_in target = tracker_address(options.port);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
  int on = 1;
  client->fd = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(client->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  if (client->fd < 0 || bind(client->fd, (struct sockaddr *)&source, sizeof source) ||
      connect(client->fd, (struct sockaddr *)&target, sizeof target) ||
      epoll_ctl(poller, EPOLL_CTL_ADD, client->fd, &event))
    fail("connection");
}

static void reopen(struct client *client) {
  close(client->fd);
  tally.reconnects++;
  if (client->waiting && filling) client->next_peer = client->peer;
  client->waiting = false;
  open_connection(client);
}

/* The value of a header as a number, or -1. */
static long header_number(const char *head, const char *name) {
  const char *at = strcasestr(head, name);
  return at ? atol(at + strlen(name)) : -1;
}

/* Reads `5:peers60:…`; false if the list is missing or ends inside a peer. */
static bool count_peers(const char *body, size_t length) {
  const char *list = memmem(body, length, "5:peers", 7);
  if (!list) return false;
  char *after;
  unsigned long bytes = strtoul(list + 7, &after, 10);
  tally.peers_received += bytes / 6;
  return *after == ':' && bytes % 6 == 0 && after + 1 + bytes < body + length;
}

static void take_body(struct client *client, const char *body, size_t length, uint64_t now) {
  uint64_t bad = tally.errors + tally.malformed;
  record_latency(now - client->sent);
  client->waiting = false;
  while (length && (body[length - 1] == '\n' || body[length - 1] == '\r')) length--;
  bool whole = length > 2 && body[0] == 'd' && body[length - 1] == 'e';
  if (strncmp(client->answer + 8, " 200", 4) || memmem(body, length, "14:failure reason", 17))
    tally.errors++;
  else if (!whole || (client->kind == ANNOUNCE && !count_peers(body, length)) ||
           (client->kind == SCRAPE && memcmp(body, "d5:files", 8)))
    tally.malformed++;
  else
    tally.answers[client->kind]++;
  bool good = bad == tally.errors + tally.malformed;
  if (good || !filling) last_answer = now; /* a filling that is only refused must end */
  if (good) filled += filling;
  else if (filling) client->next_peer = client->peer;
}

/* Whether the connection may carry another request. Some trackers close it without saying so. */
static bool stays_open(const char *head) {
  if (closes_silently) return false;
  if (strcasestr(head, "\r\nconnection: close")) return false;
  return strncmp(head, "HTTP/1.0", 8) || strcasestr(head, "\r\nconnection: keep-alive");
}

/* Takes the answer if it is complete; `closed` ends one without a stated length. */
static void take_answer(struct client *client, bool closed, uint64_t now) {
  client->answer[client->got] = 0;
  char *end = strstr(client->answer, "\r\n\r\n");
  if (!end) return;
  *end = 0;
  const char *body = end + 4;
  size_t here = client->got - (size_t)(body - client->answer);
  long stated = header_number(client->answer, "\r\ncontent-length:");
  if (stated < 0 ? closed : here >= (size_t)stated) {
    take_body(client, body, here, now);
    if (!closed && !stays_open(client->answer)) reopen(client);
  } else {
    *end = '\r';
  }
}

static void receive(struct client *client, uint64_t now) {
  size_t room = ROOM - 1 - client->got;
  ssize_t got = recv(client->fd, client->answer + client->got, room, MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) return;
  bool closed = got <= 0;
  if (!closed) client->got += (size_t)got;
  if (client->waiting) take_answer(client, closed, now);
  if (closed) {
    if (client->waiting && client->got) tally.lost++;
    else closes_silently = true;
    reopen(client);
  }
  if (!client->waiting && is_allowed(client, now)) send_request(client, now);
}

static void drop_lost(uint64_t now) {
  uint64_t limit = (uint64_t)options.timeout_ms * (SECOND / 1000);
  for (int c = 0; c < options.sockets; c++) {
    struct client *client = &clients[c];
    if (!client->waiting || now - client->sent < limit) continue;
    tally.lost++;
    reopen(client);
    send_request(client, now);
  }
}

/* Reads every connection that is ready, then sends what may be sent. */
static void turn(uint64_t now) {
  struct epoll_event events[256];
  int count = epoll_wait(poller, events, 256, 0);
  for (int i = 0; i < count; i++) receive(events[i].data.ptr, now);
  for (int c = 0; c < options.sockets; c++)
    if (!clients[c].waiting && is_allowed(&clients[c], now)) send_request(&clients[c], now);
}

/* Runs until `end`; while filling, until every peer has announced. */
static uint64_t run(uint64_t end) {
  static uint64_t scanned;
  uint64_t now = now_ns();
  while (now < end && !(filling && filled >= people.peers) && !is_stopped()) {
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
  struct options defaults = {.mix = "mixed", .seconds = 3, .seed = 1, .torrents = 50000,
                             .peers = 100000, .want = 30, .sockets = 64, .window = 1,
                             .timeout_ms = 2000, .fill = 1};
  options = read_options(argc, argv, defaults);
  if (options.print_hashes) return print_hashes(&options), 0;
  if (options.print_keys) return print_keys(&options), 0;
  filling = options.fill;
  mixed = !strcmp(options.mix, "mixed");
  random_state = options.seed;
  people = make_population(&options);
  clients = calloc((size_t)options.sockets, sizeof *clients);
  poller = epoll_create1(0);
  if (!clients || poller < 0) fail("memory");

  uint64_t opened = last_answer = now_ns();
  for (int c = 0; c < options.sockets; c++) {
    clients[c].number = clients[c].next_peer = (uint32_t)c;
    open_connection(&clients[c]);
    send_request(&clients[c], opened);
  }
  uint64_t began = filling ? run(UINT64_MAX) : opened;
  filling = false;
  paced_from = began;
  issued = 0;
  memset(&tally, 0, sizeof tally);
  forget_latencies();
  struct usage before = read_usage(options.pid);
  uint64_t ended = run(began + (uint64_t)(options.seconds * (double)SECOND));
  struct usage after = read_usage(options.pid);
  report(&options, &tally, ended - began, began - opened, before, after);
}
