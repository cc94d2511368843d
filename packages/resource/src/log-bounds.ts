// The bounds of a log on the local disk, as they are written: in a LogChannel, and in templates that ask for one.

import { DURATION_PATTERN, durationSchema, secondsOf } from './ducks.ts'
import type { Draft, JsonSchema, Kind, Report } from './kind.ts'
import { parseBytes } from './quantity.ts'
import { pathText, type Path } from './problem.ts'
import { isRecord } from './resource.ts'
import { show } from './schema.ts'

/** The bounds of a log. What is absent is the driver's default. */
export interface LogChannelLimits {
  /** Most bytes that triggers have still to settle; beyond, 429. */
  readonly bytesMax?: number
  /** How long events stay that every trigger has settled, in ms. */
  readonly retentionMs?: number
  /** How many bytes of them. */
  readonly retentionBytes?: number
  /** Syncs are made so often, in ms, instead of before each 202. */
  readonly syncMs?: number
  /** Absent: what finds no room is refused. */
  readonly whenFull?: 'deadLetter'
}

/** The kind, as far as its templates know it; the rest stands in kinds/log-channel.ts. */
export const LOG_CHANNEL: Kind = {
  group: 'messaging.sluice.dev',
  kind: 'LogChannel',
  plural: 'logchannels',
  singular: 'logchannel',
  shortNames: [],
  categories: ['all', 'messaging', 'channel'],
  namespaced: true,
  versions: ['v1alpha1'],
  description: 'A LogChannel is a Channel that keeps its events on the local disk.',
  run: true,
  naming: 'subdomain',
}

/** The least that makes sense: one segment. */
const BYTES_MIN = 1024 * 1024
/** Of `sync: interval`. */
const SYNC_INTERVAL_MS = 1000

/** Their schema. */
export const LOG_PROPERTIES: Readonly<Record<string, JsonSchema>> = {
  maxBytes: sizeSchema('Most bytes that triggers have still to settle, 1Mi or more. Default 10Gi.', '50Gi'),
  retention: {
    type: 'object',
    description: 'What stays of the events that every trigger has settled, to be read again.',
    additionalProperties: false,
    properties: {
      age: durationSchema('How long. Default P7D.', 'P7D'),
      bytes: sizeSchema('How many bytes of them; 0 = none. Default 1Gi.', '10Gi'),
    },
  },
  sync: {
    type: 'string',
    enum: ['commit', 'interval'],
    description:
      'When events are synced to the disk: commit = each before its 202; interval = once a second, so that a power ' +
      'loss takes what was accepted in the last one. Default commit.',
  },
  whenFull: {
    type: 'string',
    enum: ['reject', 'deadLetter'],
    description: 'Whether new events are refused, or the oldest go to the dead letters. Default reject.',
  },
}

/** A number or a text: `validate` judges it. */
function sizeSchema(description: string, example: string): JsonSchema {
  return { description, examples: [example] }
}

/** The rules of its bounds beyond the schema. */
export function checkLogBounds(draft: Draft, report: Report): void {
  const { spec } = draft
  if (!isRecord(spec)) return
  checkSize(spec['maxBytes'], ['spec', 'maxBytes'], BYTES_MIN, report)
  if (isRecord(spec['retention'])) checkSize(spec['retention']['bytes'], ['spec', 'retention', 'bytes'], 0, report)
}

function checkSize(value: unknown, path: Path, min: number, report: Report): void {
  const bytes = value === undefined ? undefined : bytesOf(value)
  if (bytes === undefined || bytes >= min) return
  report({
    code: 'SLUICE_RESOURCE_INVALID',
    path,
    message: `invalid value: ${show(value)}: ${pathText(path)}`,
    hint: `It has to be a size${min > 0 ? ' of 1Mi or more' : ''}: bytes, or a number with a unit such as 512Mi or 50Gi.`,
  })
}

/** -1 where it is none. */
function bytesOf(value: unknown): number {
  if (value === 0 || value === '0') return 0
  if (typeof value !== 'number' && typeof value !== 'string') return -1
  try {
    return parseBytes(String(value))
  } catch {
    return -1
  }
}

/** The bounds that a valid spec names. */
export function logChannelLimits(spec: Readonly<Record<string, unknown>> = {}): LogChannelLimits {
  const retention = isRecord(spec['retention']) ? spec['retention'] : {}
  const age = retention['age']
  return {
    ...(spec['maxBytes'] !== undefined && { bytesMax: bytesOf(spec['maxBytes']) }),
    ...(typeof age === 'string' && new RegExp(DURATION_PATTERN).test(age) && { retentionMs: secondsOf(age) * 1000 }),
    ...(spec['whenFull'] === 'deadLetter' && { whenFull: 'deadLetter' as const }),
    ...(spec['sync'] === 'interval' && { syncMs: SYNC_INTERVAL_MS }),
    ...(retention['bytes'] !== undefined && { retentionBytes: bytesOf(retention['bytes']) }),
  }
}
