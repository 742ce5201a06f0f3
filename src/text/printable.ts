/**
 * Text that is not ours inside our messages: a terminal must not obey it, and the message must stay
 * one line. Each rule is named for what it does to the text. Pure.
 */

/** At most `most` characters, followed by `mark` if some were cut off. */
export const cut = (text: string, most: number, mark = '…'): string =>
  text.length > most ? `${text.slice(0, most)}${mark}` : text

/** A stranger's text: control characters and line breaks become spaces; at most 300 characters. */
export const oneLine = (text: string): string =>
  cut(text.replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ').trim(), 300)

/** A word of the user: each control character becomes a question mark; at most 80 characters. */
export const shortWord = (word: string): string => cut(word.replace(/\p{C}/gu, '?'), 80)

/** A word of the user: as it is, or in quotes if it holds spaces or control characters. */
export const quotedWord = (word: string): string =>
  /[\p{C}\s]/u.test(word) ? JSON.stringify(word) : word

/** A path: as it is, or in quotes if it is empty or holds control characters. */
export const quotedPath = (path: string): string =>
  /\p{C}/u.test(path) || path === '' ? JSON.stringify(path) : path

/** Control characters become escapes such as `\x1b`; line breaks stay. */
export const escaped = (text: string): string =>
  text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to escape
    /[\x00-\x09\x0b-\x1f\x7f-\x9f]/g,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
