// The stream that holds a channel's events: made where there is none, made again where somebody deleted it, and measured.
//
// From: open.ts and channel.ts. Next: the server's API, by connection.ts.

import { SluiceError } from '@sluice/event'
import { ApiError, type Connection } from './connection.ts'
import type { StreamNames } from './names.ts'

/** Of a stream; what is absent stays as the server has it, or is this driver's default. */
export interface StreamSettings {
  /** Most bytes. New events are refused there. Default: no bound of the server's, 10 GiB by this process's own count. */
  readonly bytesMax?: number
  readonly messagesMax?: number
  /** After so many ms the server removes events, delivered or not. Default: never. */
  readonly ageMaxMs?: number
  readonly messageBytesMax?: number
  readonly storage?: 'file' | 'memory'
  readonly replicas?: number
  /** How long the server knows what it has had already. Default 2 minutes. */
  readonly duplicateWindowMs?: number
}

export interface StreamState {
  readonly bytes: number
  readonly messages: number
  readonly first_seq: number
  readonly last_seq: number
}

export interface StreamInfo {
  readonly config: Readonly<Record<string, unknown>>
  readonly state: StreamState
}

/** Its code in the API's errors. */
export const STREAM_NOT_FOUND = 10059

/** The stream's info; made, or brought to these settings, where need be. `firstSeq`: of a new one. */
export async function ensureStream(
  connection: Connection,
  names: StreamNames,
  settings: StreamSettings,
  firstSeq = 1,
): Promise<StreamInfo> {
  try {
    const found = await streamInfo(connection, names.stream)
    checkStream(found, names)
    const wanted = asConfig(settings)
    if (Object.entries(wanted).every(([key, value]) => found.config[key] === value)) return found
    return await connection.api<StreamInfo>(`STREAM.UPDATE.${names.stream}`, { ...found.config, ...wanted })
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    if (error.code !== STREAM_NOT_FOUND) throw refused(names.stream, error)
  }
  try {
    return await connection.api<StreamInfo>(`STREAM.CREATE.${names.stream}`, {
      name: names.stream,
      subjects: names.subjects,
      retention: 'limits',
      discard: 'new',
      storage: 'file',
      num_replicas: 1,
      max_consumers: -1,
      max_msgs: -1,
      max_bytes: -1,
      max_age: 0,
      max_msg_size: -1,
      duplicate_window: 120_000 * NS_PER_MS,
      allow_direct: true,
      ...(firstSeq > 1 && { first_seq: firstSeq }),
      ...asConfig(settings),
    })
  } catch (error) {
    throw error instanceof ApiError ? refused(names.stream, error) : error
  }
}

export const NS_PER_MS = 1_000_000

function asConfig(settings: StreamSettings): Record<string, unknown> {
  const { bytesMax, messagesMax, ageMaxMs, messageBytesMax, storage, replicas, duplicateWindowMs } = settings
  return {
    ...(bytesMax !== undefined && { max_bytes: bytesMax }),
    ...(messagesMax !== undefined && { max_msgs: messagesMax }),
    ...(ageMaxMs !== undefined && { max_age: ageMaxMs * NS_PER_MS }),
    ...(messageBytesMax !== undefined && { max_msg_size: messageBytesMax }),
    ...(storage !== undefined && { storage }),
    ...(replicas !== undefined && { num_replicas: replicas }),
    ...(duplicateWindowMs !== undefined && { duplicate_window: duplicateWindowMs * NS_PER_MS }),
  }
}

export function streamInfo(connection: Connection, stream: string): Promise<StreamInfo> {
  return connection.api<StreamInfo>(`STREAM.INFO.${stream}`)
}

/** A stream that somebody else has made: its events have to be these, and stay until they are settled. */
function checkStream({ config }: StreamInfo, { stream, subjects }: StreamNames): void {
  if (config['retention'] !== 'limits') {
    const why = `has retention ${String(config['retention'])}, and limits is needed`
    throw new SluiceError('SLUICE_CHANNEL_REFUSED', `The NATS stream ${stream} ${why}.`, {
      status: 503,
      retryable: true,
    })
  }
  const theirs = (config['subjects'] ?? []) as string[]
  const missing = subjects.filter((subject) => !theirs.includes(subject))
  if (missing.length === 0) return
  const why = `takes ${theirs.join(', ')}, and not ${missing.join(', ')}`
  throw new SluiceError('SLUICE_CHANNEL_REFUSED', `The NATS stream ${stream} ${why}.`, { status: 503, retryable: true })
}

function refused(stream: string, error: ApiError): SluiceError {
  return new SluiceError('SLUICE_CHANNEL_REFUSED', `NATS refuses the stream ${stream}: ${error.message}.`, {
    status: 503,
    retryable: true,
    cause: error,
  })
}

/** Bytes that the server counts for a message in a file store. */
export function storedBytes(subject: string, headers: Buffer, payload: Uint8Array): number {
  return 34 + subject.length + headers.length + payload.length
}
