/**
 * The configuration model of the program, shaped like schema 3.0.0 (docs/behaviours.md C1): names, types and units
 * are those of the settings table, so a path in a message is a path in the file. An absent optional value is
 * `null`. All values have been checked.
 */
import type { ValueOf } from './setting-kinds.ts'
import type {
  HTTP_TRACKER,
  NETWORK,
  SETTINGS,
  TLS,
  UDP_TRACKER,
  WEBSOCKET_TRACKER,
} from './settings.ts'

export type { WebhookConfig } from './accounting-settings.ts'
export type { DatabaseConfig } from './database-settings.ts'
export type { SchemaVersion } from './setting-kinds.ts'
export type { AccessToken, Scope } from './settings.ts'

export type Config = ValueOf<typeof SETTINGS>
export type AccountingConfig = NonNullable<Config['core']['accounting']>
export type UdpTrackerConfig = ValueOf<typeof UDP_TRACKER>
export type HttpTrackerConfig = ValueOf<typeof HTTP_TRACKER>
export type WebSocketTrackerConfig = ValueOf<typeof WEBSOCKET_TRACKER>
export type NetworkConfig = ValueOf<typeof NETWORK>
export type TlsConfig = NonNullable<ValueOf<typeof TLS>>
