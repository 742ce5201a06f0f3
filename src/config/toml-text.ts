/** How keys and values are spelt in TOML 1.0. Knows no option and reads nothing. */

export const isBareKey = (key: string): boolean => /^[A-Za-z0-9_-]+$/.test(key)

/** A basic string: JSON's escapes are TOML's, except that DEL must be escaped too. */
export const tomlString = (text: string): string =>
  JSON.stringify(text.toWellFormed()).replaceAll('\x7f', '\\u007f')

export const tomlKey = (key: string): string => (isBareKey(key) ? key : tomlString(key))
