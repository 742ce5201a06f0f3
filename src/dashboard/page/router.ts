/** Where in the dashboard the reader is: the part of the address behind `#`, so that back and forward work. */
import { useEffect, useState } from 'preact/hooks'

export type Place = {
  /** `#/torrents/HASH` is `['torrents', 'HASH']`. */
  readonly path: readonly string[]
  readonly query: URLSearchParams
}

function readPlace(hash: string): Place {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?', 2)
  return { path: path.split('/').filter((part) => part !== ''), query: new URLSearchParams(query) }
}

type Query = Readonly<Record<string, string | number | undefined>>

/** The address of a place; what is empty, 0 or undefined is left out of the query. */
export function linkTo(path: string, query: Query = {}): string {
  const given = Object.entries(query).filter(([, value]) => value)
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)]))
  return `#/${path}${given.length === 0 ? '' : `?${search}`}`
}

export const go = (link: string): void => {
  location.hash = link
}

export function usePlace(): Place {
  const [hash, setHash] = useState(location.hash)
  useEffect(() => {
    const changed = () => setHash(location.hash)
    addEventListener('hashchange', changed)
    return () => removeEventListener('hashchange', changed)
  }, [])
  return readPlace(hash)
}
