/** Words of a command line that a user may copy into a shell. Pure. */

/** As it is, or in single quotes, in which no character has a meaning, if a POSIX shell would read it otherwise. */
export const shellWord = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
