/** Loaded before a program: as on a system without the C library's calls. */
require('bun:ffi').dlopen = () => {
  throw new Error('no such library')
}
