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
  /** '': no driver was named, so it keeps nothing. */
  readonly driver: string
  /** The name of the file in `share/default/config`. */
  readonly name: string
  readonly text: string
}

export const TEMPLATES: readonly Template[] = [
  { driver: 'sqlite3', name: 'tracker.container.sqlite3.toml', text: sqlite3 },
  { driver: 'mysql', name: 'tracker.container.mysql.toml', text: mysql },
  { driver: 'postgresql', name: 'tracker.container.postgresql.toml', text: postgresql },
  { driver: '', name: 'tracker.container.no-persistence.toml', text: none },
]

/** undefined: no template has this driver. Compose files tend to quote it, which the configuration accepts, too. */
export const templateFor = (driver = ''): Template | undefined =>
  TEMPLATES.find((one) => one.driver === driver.replace(/^\s*("?)([^"\s]+)\1\s*$/, '$2'))
