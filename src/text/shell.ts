/** Words of a command line that a user may copy into a shell. Pure. */

/** In single quotes, in which no character has a meaning to a POSIX shell. */
export const shellQuoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

/** As it is, or quoted if a shell would read it otherwise. */
export const shellWord = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : shellQuoted(word)
