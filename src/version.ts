/** Which build this is. */
import { version } from '../package.json' with { type: 'json' }

export const VERSION: string = version

/** Defined by `build.ts`, if it knows the commit. */
declare const BUILD_COMMIT: string | undefined

/** The first twelve digits of the commit that the executable was built from; undefined in a run of the sources. */
export const COMMIT: string | undefined =
  typeof BUILD_COMMIT === 'undefined' ? undefined : BUILD_COMMIT
