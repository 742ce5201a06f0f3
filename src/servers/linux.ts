/**
 * Numbers of Linux under their names in C, and where the fields of its structures stand: the same on x64 and arm64, with
 * glibc and musl. test/servers/linux.test.ts asks C compilers for each of them.
 */

export const LINUX = {
  EAGAIN: 11,
  O_CLOEXEC: 0o2000000,

  AF_UNIX: 1,
  AF_INET: 2,
  AF_INET6: 10,
  SOCK_STREAM: 1,
  SOCK_DGRAM: 2,
  SOCK_NONBLOCK: 0o4000,
  SOCK_CLOEXEC: 0o2000000,
  MSG_DONTWAIT: 0x40,
  SHUT_RDWR: 2,
  POLLIN: 1,

  SOL_SOCKET: 1,
  SO_TYPE: 3,
  SO_RCVBUF: 8,
  SO_REUSEPORT: 15,
  SO_ATTACH_FILTER: 26,
  SO_DETACH_FILTER: 27,
  SO_ACCEPTCONN: 30,
  /** The program chooses one of the sockets that share a port. */
  SO_ATTACH_REUSEPORT_CBPF: 51,
  SO_COOKIE: 57,
  SO_DETACH_REUSEPORT_BPF: 68,
  SO_MEMINFO: 55,

  IPPROTO_IP: 0,
  IP_PKTINFO: 8,
  IP_RECVERR: 11,
  IP_RECVTOS: 13,
  IPPROTO_IPV6: 41,
  IPV6_RECVERR: 25,
  IPV6_RECVPKTINFO: 49,
  IPV6_RECVTCLASS: 66,
  IPPROTO_UDP: 17,
  /** The kernel cuts one message into datagrams of equal length. */
  UDP_SEGMENT: 103,

  RLIMIT_NOFILE: 7,
  MADV_DONTNEED: 4,
  /** The system makes huge pages of the range, in its own time; never. */
  MADV_HUGEPAGE: 14,
  MADV_NOHUGEPAGE: 15,
  TIME_ERROR: 5,

  /** The packet filter's instructions are sums of these. */
  BPF_LD: 0x00,
  BPF_ALU: 0x04,
  BPF_JMP: 0x05,
  BPF_RET: 0x06,
  BPF_W: 0x00,
  BPF_B: 0x10,
  BPF_ABS: 0x20,
  BPF_RSH: 0x70,
  BPF_ADD: 0x00,
  BPF_AND: 0x50,
  BPF_MOD: 0x90,
  BPF_JEQ: 0x10,
  BPF_K: 0x00,
  BPF_A: 0x10,
  /** Where the packet's own IP header begins, for the packet filter. */
  SKF_NET_OFF: -0x10_0000,
  /** Where what is not in the packet begins, and a random number in it. */
  SKF_AD_OFF: -0x1000,
  SKF_AD_RANDOM: 56,
} as const

/** The only numbers that differ: those of system calls. */
export const SYSTEM_CALL = {
  x64: { SYS_sendmmsg: 307, SYS_gettid: 186 },
  arm64: { SYS_sendmmsg: 269, SYS_gettid: 178 },
} as const

/** Bytes of each structure, and where its fields begin. */
export const STRUCT = {
  mmsghdr: {
    bytes: 64,
    'msg_hdr.msg_name': 0,
    'msg_hdr.msg_namelen': 8,
    'msg_hdr.msg_iov': 16,
    'msg_hdr.msg_iovlen': 24,
    'msg_hdr.msg_control': 32,
    'msg_hdr.msg_controllen': 40,
    msg_len: 56,
  },
  iovec: { bytes: 16, iov_base: 0, iov_len: 8 },
  sockaddr_in: { bytes: 16, sin_family: 0, sin_port: 2, sin_addr: 4 },
  sockaddr_in6: { bytes: 28, sin6_family: 0, sin6_port: 2, sin6_addr: 8 },
  cmsghdr: { bytes: 16, cmsg_len: 0, cmsg_level: 8, cmsg_type: 12 },
  pollfd: { bytes: 8, fd: 0, events: 4, revents: 6 },
  sock_fprog: { bytes: 16, len: 0, filter: 8 },
  sock_filter: { bytes: 8, code: 0, jt: 2, jf: 3, k: 4 },
  rlimit: { bytes: 16, rlim_cur: 0, rlim_max: 8 },
  timex: { bytes: 208 },
} as const
