// `sluice log check`: what a data directory holds, read offline; nothing in it is changed.

import { systemClock } from '@sluice/clock'
import {
  checkData,
  type BrokerReport,
  type DataReport,
  type StoreReport,
  type SubscriptionReport,
} from '@sluice/controller'
import { SluiceError } from '@sluice/event'
import { EXIT, exitWith } from './exit.ts'

/** Prints what is in `folder`. Exits with 1 where something is damaged, or can't be looked at. */
export async function logCheck(folder: string): Promise<void> {
  const report = await checkData(folder, systemClock).catch((error: unknown) => {
    if (!(error instanceof SluiceError)) throw error
    exitWith(EXIT.failed, `sluice log check: ${error.message}`)
  })
  if (report.unlocked !== undefined) {
    const doubt = 'Where a process has it open, what is told here may be wrong'
    process.stderr.write(
      `sluice log check: it can't be told whether a process has it open (${report.unlocked}). ${doubt}.\n`,
    )
  }
  process.stdout.write(`${report.brokers.map(brokerLines).concat(endLines(report)).join('\n')}\n`)
  if (report.brokers.some(isDamaged)) exitWith(EXIT.failed)
}

function isDamaged({ problems, start }: BrokerReport): boolean {
  return problems.length > 0 || (start !== undefined && ('refused' in start || start.isRewound))
}

function brokerLines({ of, folder, name, stores, problems, start }: BrokerReport): string {
  const lines = [name === undefined ? folder : `${of} ${name}  ${folder}`]
  for (const store of stores) lines.push(`  ${storeLine(store)}`)
  for (const { path, what, events, lost } of problems) {
    lines.push(`  DAMAGED  ${path}: ${what}${events > 0 ? `; lost: ${numbers(lost)}` : ''}`)
  }
  if (start === undefined) return lines.join('\n')
  if ('refused' in start) return [...lines, `  A start is refused: ${start.refused}`].join('\n')
  for (const subscription of start.subscriptions) lines.push(`  ${subscriptionLine(subscription)}`)
  if (start.isRewound) lines.push('  DAMAGED  progress is missing or damaged: some events would be delivered again')
  return lines.join('\n')
}

function storeLine({ name, segments, entries, bytes, range, timesMs, tornBytes }: StoreReport): string {
  const parts = [`${name}: ${count(segments, 'segment')}, ${count(entries, 'entry', 'entries')}, ${bytes} bytes`]
  if (range !== undefined) parts.push(`numbers ${range[0]} to ${range[1]}`)
  if (timesMs !== undefined) parts.push(`${time(timesMs[0])} to ${time(timesMs[1])}`)
  if (tornBytes > 0) parts.push(`${tornBytes} bytes at the end never became durable, and a start cuts them off`)
  return parts.join(', ')
}

function subscriptionLine({ id, events, isExact, parked, oldestMs }: SubscriptionReport): string {
  const parts = [`trigger ${id}: ${isExact ? '' : 'at most '}${count(events, 'event')} to deliver`]
  if (parked > 0) parts.push(`${parked} of them tried and parked`)
  if (oldestMs !== undefined) parts.push(`the oldest of ${time(oldestMs)}`)
  return parts.join(', ')
}

function endLines({ brokers, trash }: DataReport): string[] {
  const damaged = brokers.filter(isDamaged).length
  const lines: string[] = []
  if (trash > 0) lines.push(`${count(trash, 'folder')} in the trash, not looked into`)
  if (brokers.length === 0) lines.push('Nothing has data here.')
  else lines.push(damaged === 0 ? 'No damage found.' : `Damage found in ${damaged} of ${brokers.length}.`)
  return lines
}

function numbers([first, last]: readonly [number, number]): string {
  return first === last ? `number ${first}` : `numbers ${first} to ${last}`
}

function time(ms: number): string {
  return new Date(ms).toISOString()
}

function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`
}
