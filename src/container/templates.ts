/**
 * The configurations that a container starts with, one for each database. They are part of the executable, so
 * that an image needs no other file.
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
  /** The name of the file in `share/default/config`. */
  readonly name: string
  readonly text: string
}

/** By the driver. */
const BY_DRIVER: ReadonlyMap<string, Template> = new Map([
  ['sqlite3', { name: 'tracker.container.sqlite3.toml', text: sqlite3 }],
  ['mysql', { name: 'tracker.container.mysql.toml', text: mysql }],
  ['postgresql', { name: 'tracker.container.postgresql.toml', text: postgresql }],
])

const NO_PERSISTENCE: Template = { name: 'tracker.container.no-persistence.toml', text: none }

export const TEMPLATES: readonly Template[] = [...BY_DRIVER.values(), NO_PERSISTENCE]

/** undefined: the driver is unknown. Without a driver, the template that keeps nothing. */
export function templateFor(driver: string | undefined): Template | undefined {
  // Compose files tend to quote it, which the configuration accepts, too.
  const name = driver?.replace(/[^a-zA-Z0-9-]/g, '')
  if (!driver) return NO_PERSISTENCE
  return BY_DRIVER.get(name ?? '')
}

/** What the reference's image prints for any other driver. */
export const unsupported = (driver: string): readonly string[] => [
  `Error: Unsupported Database Type: ${JSON.stringify(driver)}.`,
  `Please Note: Supported Database Types: ${[...BY_DRIVER.keys()].map((name) => `"${name}"`).join(', ')}.`,
]
