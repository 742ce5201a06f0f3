/** The parts of Bun, from the LICENSE.md of its sources, for notices and bills of materials. */

export interface Part {
  readonly name: string
  /** As Bun names it. */
  readonly licence: string
  readonly url: string
}

export const LIBRARIES: readonly Part[] = [
  part('JavaScriptCore and WebCore', 'LGPL-2.0', 'https://github.com/oven-sh/WebKit'),
  part('boringssl', 'several licences', 'https://boringssl.googlesource.com/boringssl'),
  part('brotli', 'MIT', 'https://github.com/google/brotli'),
  part('c-ares', 'MIT', 'https://github.com/c-ares/c-ares'),
  part('highway', 'Apache-2.0', 'https://github.com/google/highway'),
  part('libarchive', 'several licences', 'https://github.com/libarchive/libarchive'),
  part('libbase64', 'BSD-2-Clause', 'https://github.com/aklomp/base64'),
  part('libdeflate', 'MIT', 'https://github.com/ebiggers/libdeflate'),
  part('libicu', 'ICU', 'https://github.com/unicode-org/icu'),
  part(
    'libjpeg-turbo',
    'BSD-3-Clause, IJG, Zlib',
    'https://github.com/libjpeg-turbo/libjpeg-turbo',
  ),
  part('libspng', 'BSD-2-Clause', 'https://github.com/randy408/libspng'),
  part('libuv (on Windows)', 'MIT', 'https://github.com/libuv/libuv'),
  part('libwebp', 'BSD-3-Clause', 'https://github.com/webmproject/libwebp'),
  part('LLVM libc++abi', 'Apache-2.0 WITH LLVM-exception', 'https://github.com/llvm/llvm-project'),
  part('lol-html', 'BSD-3-Clause', 'https://github.com/cloudflare/lol-html'),
  part('ls-hpack', 'MIT', 'https://github.com/litespeedtech/ls-hpack'),
  part('ls-qpack', 'MIT', 'https://github.com/litespeedtech/ls-qpack'),
  part('lsquic', 'MIT, parts BSD-3-Clause', 'https://github.com/litespeedtech/lsquic'),
  part('mimalloc', 'MIT', 'https://github.com/microsoft/mimalloc'),
  part('picohttpparser', 'MIT or Perl', 'https://github.com/h2o/picohttpparser'),
  part('simdutf', 'Apache-2.0', 'https://github.com/simdutf/simdutf'),
  part('TigerBeetle, parts of', 'Apache-2.0', 'https://github.com/tigerbeetle/tigerbeetle'),
  part('tinycc', 'LGPL-2.1', 'https://github.com/tinycc/tinycc'),
  part('uSockets', 'Apache-2.0', 'https://github.com/uNetworking/uSockets'),
  part('uucode', 'MIT', 'https://github.com/jacobsandlund/uucode'),
  part('uWebSockets, a fork of', 'Apache-2.0', 'https://github.com/jarred-sumner/uwebsockets'),
  part('zlib-ng', 'Zlib', 'https://github.com/zlib-ng/zlib-ng'),
  part('zstd', 'BSD-3-Clause or GPL-2.0', 'https://github.com/facebook/zstd'),
]

/** Packages of the npm registry inside Bun, all under the MIT licence. */
export const POLYFILLS: readonly string[] = [
  ...['acorn', 'acorn-walk', 'assert', 'browserify-zlib', 'buffer', 'constants-browserify'],
  ...['crypto-browserify', 'domain-browser', 'events', 'https-browserify', 'os-browserify'],
  ...['path-browserify', 'process', 'punycode', 'querystring-es3', 'stream-browserify'],
  ...['stream-http', 'string_decoder', 'timers-browserify', 'tty-browserify', 'url', 'util'],
  'vm-browserify',
]

function part(name: string, licence: string, url: string): Part {
  return { name, licence, url }
}
