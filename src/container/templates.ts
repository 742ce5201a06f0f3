/**
 * The configurations a container starts with, one for each database. They are part of the executable, so
 * that an image needs no other file of ours.
 */
import mysql from '../../share/default/config/tracker.container.mysql.toml' with { type: 'text' }
import none from '../../share/default/config/tracker.container.no-persistence.toml' with {
  type: 'text',
}
import postgresql from '../../share/default/config/tracker.container.postgresql.toml' with {
  type: 'text',
}
import sqlite3 from '../../share/default/config/tracker.container.sqlite3.toml' with {
  type: 'text',
}

export interface Template {
  /** Of the file, as it lies in `share/default/config`. */
  readonly name: string
  readonly text: string
}

/** By the driver that asks for it. */
const BY_DRIVER: ReadonlyMap<string, Template> = new Map([
  ['sqlite3', { name: 'tracker.container.sqlite3.toml', text: sqlite3 }],
  ['mysql', { name: 'tracker.container.mysql.toml', text: mysql }],
  ['postgresql', { name: 'tracker.container.postgresql.toml', text: postgresql }],
])

const NO_PERSISTENCE: Template = { name: 'tracker.container.no-persistence.toml', text: none }

export const TEMPLATES: readonly Template[] = [...BY_DRIVER.values(), NO_PERSISTENCE]

/** undefined: there is none for this driver. Without a driver nothing is kept. */
export function templateFor(driver: string | undefined): Template | undefined {
  // Compose files like to quote it, which the configuration understands, too.
  const name = driver?.replace(/[^a-zA-Z0-9-]/g, '')
  if (!driver) return NO_PERSISTENCE
  return BY_DRIVER.get(name ?? '')
}

/** The lines the reference's image says of any other driver. */
export const unsupported = (driver: string): readonly string[] => [
  `Error: Unsupported Database Type: ${JSON.stringify(driver)}.`,
  `Please Note: Supported Database Types: ${[...BY_DRIVER.keys()].map((name) => `"${name}"`).join(', ')}.`,
]
