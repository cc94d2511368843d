// An event on its way through one subscription, and the partition that it comes from.

import type { Event } from '@sluice/event'
import type { KafkaMessage } from 'kafkajs'
import type { Progress } from './progress.ts'

/** A partition, as one subscription knows it. */
export interface Part {
  readonly partition: number
  readonly progress: Progress<Taken>
  /** It is this process's, and what it goes on from is known. */
  isReady: boolean
  /** Where the next fetch begins. */
  position: number
  /** Not fetched: enough waits here. */
  isHeld: boolean
  /** Due again and not in memory: to be fetched once more. */
  readonly wanted: Map<number, Taken>
  /** What the server has answered a commit of, offset and metadata. */
  committed: string | undefined
}

/** An event that was read and is not settled. */
export interface Taken {
  readonly part: Part
  readonly offset: number
  readonly time: number
  readonly bytes: number
  /** Until it is decoded. */
  message: KafkaMessage | undefined
  /** `undefined`: it has to be fetched again. */
  event: Event | undefined
  /** Its key, where the event is not in memory and the order is by key. */
  key: string | undefined
  /** Parked, and counted among what stays in memory. */
  isKept: boolean
  /** Another process has its partition, or it was given up: it is not handed out any more. */
  isLost: boolean
}

/** The name of an event, by its partition and offset. */
export function positionOf(partition: number, offset: number): string {
  return `${partition}-${offset}`
}

/** Throws where this is no position of a Kafka channel. */
export function readPosition(position: string): { partition: number; offset: number } {
  const [, partition, offset] = /^(\d+)-(\d+)$/.exec(position) ?? []
  if (offset === undefined) throw new Error(`${position} is no position of a Kafka channel`)
  return { partition: Number(partition), offset: Number(offset) }
}
