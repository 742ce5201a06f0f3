/**
 * The numbers of src/servers/linux.ts against C compilers: for both architectures and both C libraries. A compiler that
 * is not installed is skipped, unless TEST_COMPILERS is set.
 */
import { expect, test } from 'bun:test'
import { LINUX, STRUCT, SYSTEM_CALL } from '../../src/servers/linux.ts'
import { runProgram } from '../support/run-program.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const HEADERS = [
  ...['errno.h', 'fcntl.h', 'netinet/in.h', 'netinet/udp.h', 'poll.h', 'stddef.h', 'stdio.h'],
  ...[
    'sys/mman.h',
    'sys/resource.h',
    'sys/socket.h',
    'sys/syscall.h',
    'sys/timex.h',
    'linux/filter.h',
  ],
]

type Arch = keyof typeof SYSTEM_CALL

/** Each number of the table, under the C expression whose value it is. */
function numbersOf(arch: Arch): Map<string, number> {
  const numbers = new Map<string, number>(Object.entries({ ...LINUX, ...SYSTEM_CALL[arch] }))
  for (const [struct, { bytes, ...fields }] of Object.entries(STRUCT)) {
    numbers.set(`sizeof(struct ${struct})`, bytes)
    for (const [field, at] of Object.entries(fields))
      numbers.set(`offsetof(struct ${struct}, ${field})`, at)
  }
  return numbers
}

/** Prints the value of each expression on a line. */
const programOf = (expressions: readonly string[]) =>
  [
    '#define _GNU_SOURCE',
    ...HEADERS.map((header) => `#include <${header}>`),
    'int main(void) {',
    ...expressions.map((expression) => `printf("%d\\n", (int)(${expression}));`),
    'return 0;',
    '}',
  ].join('\n')

const here = process.arch as Arch
const isArm = here === 'arm64'
const multiarch = `/usr/include/${isArm ? 'aarch64' : 'x86_64'}-linux-gnu`
/** musl brings no headers of the kernel. */
const KERNEL_HEADERS = ['-idirafter', '/usr/include', '-idirafter', multiarch]

for (const [platform, arch, compiler, words, emulator] of [
  ['this machine with glibc', here, 'cc', [], []],
  ['this machine with musl', here, 'musl-gcc', KERNEL_HEADERS, []],
  ['arm64 with glibc', 'arm64', 'aarch64-linux-gnu-gcc', [], isArm ? [] : ['qemu-aarch64']],
] as const) {
  const isThere = [compiler, ...emulator].every((tool) => Bun.which(tool) !== null)
  const isDemanded = process.env.TEST_COMPILERS !== undefined
  test.skipIf(process.platform !== 'linux' || !(isThere || isDemanded))(
    `the numbers are those of ${platform}`,
    async () => {
      const numbers = numbersOf(arch)
      using room = temporaryDirectory({ 'print.c': programOf([...numbers.keys()]) })
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
