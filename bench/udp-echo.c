/*
 * The limit of a UDP tracker on this machine: answers every datagram with one of the right shape
 * and a plausible size, in batches, without any other work. Ends after `seconds`.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 64
#define ROOM 2048

static uint8_t packets[BATCH][ROOM];
static struct sockaddr_in from[BATCH];
static struct iovec pieces[BATCH];
static struct mmsghdr messages[BATCH];

/* Turns the request in `packet` into its answer; returns the bytes of the answer. */
static size_t answer(uint8_t *packet, size_t length, size_t peers) {
  uint32_t action;
  if (length < 16) return 0;
  memcpy(&action, packet + 8, 4);
  memcpy(packet, &action, 4);              /* action, then the transaction id */
  memcpy(packet + 4, packet + 12, 4);
  switch (ntohl(action)) {
    case 0: return 16;                     /* connection id: the bytes already there */
    case 1: return 20 + 6 * peers;         /* interval, counts and peers: the same */
    case 2: return 8 + (length - 16) / 20 * 12;
    default: return 0;
  }
}

static void prepare(int i, size_t length) {
  pieces[i] = (struct iovec){packets[i], length};
  messages[i].msg_hdr = (struct msghdr){.msg_name = &from[i], .msg_namelen = sizeof from[i],
                                        .msg_iov = &pieces[i], .msg_iovlen = 1};
}

static int listen_on(int port) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  int buffer = 8 << 20;
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof here)) {
    perror("bind");
    exit(1);
  }
  return fd;
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: %s port peers-per-answer seconds\n", argv[0]);
    return 2;
  }
  int fd = listen_on(atoi(argv[1]));
  size_t peers = (size_t)atoi(argv[2]);
  alarm((unsigned)atoi(argv[3]));
  for (;;) {
    for (int i = 0; i < BATCH; i++) prepare(i, ROOM);
    int got = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
    for (int i = 0; i < got; i++)
      pieces[i].iov_len = answer(packets[i], messages[i].msg_len, peers);
    for (int sent = 0; sent < got;) {
      int taken = sendmmsg(fd, messages + sent, (unsigned)(got - sent), 0);
      sent += taken > 0 ? taken : 1;       /* an error concerns only the first datagram */
    }
  }
}
