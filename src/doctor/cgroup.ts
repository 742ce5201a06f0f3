/** What the control groups of this process allow it, of either version, its containers' included. */
import type { Machine } from './machine.ts'

const BASE = '/sys/fs/cgroup'

/** Contents of the files of that name in the group of this process and in all above it. */
function contents(machine: Machine, controller: string, name: string): string[] {
  const lines = (machine.maybe('/proc/self/cgroup') ?? '').split('\n')
  return lines.flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? []
    if (path === undefined || !controllers?.split(',').includes(controller)) return []
    const names = path.split('/').filter((part) => part !== '' && part !== '..')
    const base = controller === '' ? BASE : `${BASE}/${controller}`
    const groups = [base, ...names.map((_, i) => `${base}/${names.slice(0, i + 1).join('/')}`)]
    return groups.flatMap((group) => machine.maybe(`${group}/${name}`) ?? [])
  })
}

/** undefined: none of them sets a limit. */
const least = (values: readonly number[]): number | undefined => {
  const limits = values.filter((value) => value > 0)
  return limits.length === 0 ? undefined : Math.min(...limits)
}

/** Bytes of memory. */
export function memoryLimit(machine: Machine): number | undefined {
  const texts = [
    ...contents(machine, '', 'memory.max'),
    ...contents(machine, 'memory', 'memory.limit_in_bytes'),
  ]
  return least(texts.map((text) => Number(text.trim())))
}

/** Cores' worth of time; may have a fraction. */
export function coreLimit(machine: Machine): number | undefined {
  const quotas = contents(machine, 'cpu', 'cpu.cfs_quota_us')
  const periods = contents(machine, 'cpu', 'cpu.cfs_period_us')
  const texts = [
    ...contents(machine, '', 'cpu.max'),
    ...quotas.map((quota, i) => `${quota.trim()} ${periods[i]}`),
  ]
  return least(
    texts.map((text) => {
      const [quota, period] = text.trim().split(/\s+/)
      return Math.round((Number(quota) / Number(period)) * 100) / 100
    }),
  )
}
