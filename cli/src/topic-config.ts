import type { TopicConfig } from '@millrace/core'
import { InvalidArgumentError } from 'commander'
import { nearestOrAll } from './nearest-or-all.ts'

type Setting = keyof TopicConfig

const choices: Partial<Record<Setting, readonly string[]>> = {
  durability: ['memory', 'os', 'fsync'],
  cleanup: ['delete', 'compact', 'compact,delete'],
  compression: ['none', 'gzip', 'snappy', 'lz4', 'zstd'],
}

const units: Record<Setting, Readonly<Record<string, number>>> = {
  durability: {},
  cleanup: {},
  compression: {},
  retentionMs: { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 },
  segmentMs: { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 },
  retentionBytes: { KB: 1e3, MB: 1e6, GB: 1e9, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 },
  segmentBytes: { KB: 1e3, MB: 1e6, GB: 1e9, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 },
  maxMessageBytes: { KB: 1e3, MB: 1e6, KiB: 2 ** 10, MiB: 2 ** 20 },
}

/** Explains the settings under the help of the commands that take them. */
export const topicConfigHelp = `
Settings:
  durability       memory | os | fsync: what an acknowledged record survives
  retentionMs      age since the append (-1: for ever), such as 7d or 90m
  retentionBytes   size of a partition (-1: unlimited), such as 10GB
  segmentMs, segmentBytes    when a new file is begun
  cleanup          delete | compact | compact,delete
  compression      none | gzip | snappy | lz4 | zstd
  maxMessageBytes  largest batch accepted, such as 1MB`

/** Collects `-c name=value` pairs into settings. Commander calls it once for each. */
export function topicSetting(
  text: string,
  before: Partial<TopicConfig> = {},
): Partial<TopicConfig> {
  const [name = '', ...rest] = text.split('=')
  if (!isSetting(name)) {
    throw new InvalidArgumentError(
      `There is no setting "${name}".${nearestOrAll(name, Object.keys(units))}`,
    )
  }
  return { ...before, [name]: settingValue(name, rest.join('=')) }
}

function isSetting(name: string): name is Setting {
  return Object.hasOwn(units, name)
}

function settingValue(name: Setting, text: string): string | number {
  const allowed = choices[name]
  if (allowed !== undefined) {
    if (allowed.includes(text)) return text
    throw new InvalidArgumentError(`${name} is one of ${allowed.join(' | ')}.`)
  }
  const [, digits, unit] = /^(-?\d+)([a-zA-Z]*)$/.exec(text) ?? []
  const factor = unit === '' ? 1 : units[name][unit ?? '']
  if (digits !== undefined && factor !== undefined) return Number(digits) * factor
  const names = Object.keys(units[name]).join(', ')
  throw new InvalidArgumentError(`${name} is a number, alone or with one of the units ${names}.`)
}
