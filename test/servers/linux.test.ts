/**
 * The numbers of src/servers/linux.ts against C compilers: for both architectures and both C libraries. A compiler that
 * is not installed is skipped, unless TEST_COMPILERS is set.
 */
import { expect, test } from 'bun:test'
import { LINUX, STRUCT } from '../../src/servers/linux.ts'
import { runProgram } from '../support/run-program.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const HEADERS = [
  ...['errno.h', 'fcntl.h', 'netinet/in.h', 'netinet/udp.h', 'poll.h', 'stddef.h', 'stdio.h'],
  ...['sys/mman.h', 'sys/resource.h', 'sys/socket.h', 'sys/timex.h', 'linux/filter.h'],
]

/** Each number of the table, under the C expression whose value it is. */
const numbers = new Map<string, number>(Object.entries(LINUX))
for (const [struct, { bytes, ...fields }] of Object.entries(STRUCT)) {
  numbers.set(`sizeof(struct ${struct})`, bytes)
  for (const [field, at] of Object.entries(fields))
    numbers.set(`offsetof(struct ${struct}, ${field})`, at)
}
const program = [
  '#define _GNU_SOURCE',
  ...HEADERS.map((header) => `#include <${header}>`),
  'int main(void) {',
  ...[...numbers.keys()].map((name) => `printf("%lld\\n", (long long)(int)(${name}));`),
  'return 0;',
  '}',
].join('\n')

const isArm = process.arch === 'arm64'
const multiarch = `/usr/include/${isArm ? 'aarch64' : 'x86_64'}-linux-gnu`
/** musl brings no headers of the kernel. */
const KERNEL_HEADERS = ['-idirafter', '/usr/include', '-idirafter', multiarch]

for (const [platform, compiler, words, emulator] of [
  ['this machine with glibc', 'cc', [], []],
  ['this machine with musl', 'musl-gcc', KERNEL_HEADERS, []],
  ['arm64 with glibc', 'aarch64-linux-gnu-gcc', [], isArm ? [] : ['qemu-aarch64']],
] as const) {
  const isThere = [compiler, ...emulator].every((tool) => Bun.which(tool) !== null)
  const isDemanded = process.env.TEST_COMPILERS !== undefined
  test.skipIf(process.platform !== 'linux' || !(isThere || isDemanded))(
    `the numbers are those of ${platform}`,
    async () => {
      using room = temporaryDirectory({ 'print.c': program })
      const env = { PATH: process.env.PATH! }
      const [text, compiled] = [room.at('print.c'), room.at('print')]
      const command = [compiler, '-static', ...words, '-o', compiled, text]
      expect(await runProgram(command, { env })).toEqual({ code: 0, out: '', err: '' })
      const { out } = await runProgram([...emulator, compiled], { env })
      const found = out.trimEnd().split('\n').map(Number)
      expect(new Map([...numbers.keys()].map((name, i) => [name, found[i]!]))).toEqual(numbers)
    },
  )
}
