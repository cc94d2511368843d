// What the five channels can do stands in a table of the root README: it is what they declare, and what the suite of the
// channel contract has each of them prove (channels/*/test/conformance.test.ts).

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Capabilities, Channel } from '@sluice/channel'
import { kafkaMissing, sharedKafka } from '../servers/kafka.ts'
import { natsMissing, sharedNats } from '../servers/nats.ts'
import { pubsubMissing, sharedPubsub } from '../servers/pubsub.ts'
import { atEnd } from '../support/cleanup.ts'

const COLUMNS = ['log', 'memory', 'NATS', 'Kafka', 'Pub/Sub'] as const
type Driver = (typeof COLUMNS)[number]

/** What people call it, and how it is told. */
const ROWS: Readonly<Record<string, (capabilities: Capabilities) => string>> = {
  'Outlives the process': ({ durable }) => yesNo(durable),
  'Several processes share a trigger': ({ shared }) => yesNo(shared),
  'Order by key': ({ order }) => ({ none: 'no', key: 'yes', 'key-one-process': 'in one process' })[order],
  'A trigger begins at': ({ starts }) => (starts.length === 4 ? 'any event, any time' : 'now'),
  Seek: ({ seek }) => ({ online: 'yes', offline: 'where one process has it', none: 'no' })[seek],
  'Stored events can be read': ({ browse }) => yesNo(browse),
  'Tries outlive the process': ({ attempts }) => yesNo(attempts === 'durable'),
  'A new filter counts for': ({ filterJudged }) => (filterJudged === 'publish' ? 'new events' : 'what waits too'),
  Lag: ({ lag }) => ({ exact: 'exact', atMost: 'at most', unknown: 'not known' })[lag],
  'What retention took undelivered is told': ({ lossDetected }) => yesNo(lossDetected),
  'Parked events of a trigger': ({ maxParked }) => maxParked.toLocaleString('en'),
  Triggers: ({ maxSubscriptions }) => maxSubscriptions.toLocaleString('en'),
  'Types and empty data': ({ fidelity }) => (fidelity === 'exact' ? 'as they came' : 'as text, none'),
}

function yesNo(is: boolean): string {
  return is ? 'yes' : 'no'
}

const missing: Partial<Record<Driver, string | undefined>> = {
  NATS: natsMissing,
  Kafka: kafkaMissing,
  'Pub/Sub': pubsubMissing,
}

const OPEN: Readonly<Record<Driver, () => Promise<Channel>>> = {
  log: async () => {
    const { openLogChannel } = await import('@sluice/channel-log')
    const folder = mkdtempSync(join(tmpdir(), 'sluice-drivers-'))
    atEnd(() => rmSync(folder, { recursive: true }))
    return (await openLogChannel({ folder })).channel
  },
  memory: async () => {
    const { memoryChannel } = await import('@sluice/channel-memory')
    return memoryChannel()
  },
  NATS: async () => {
    const { channelNames, openNatsChannel } = await import('@sluice/channel-nats')
    const server = await sharedNats()
    atEnd(() => server.stop())
    return openNatsChannel({ servers: [server.url], names: channelNames('drivers', `p${process.pid}`) })
  },
  Kafka: async () => {
    const { channelNames, openKafkaChannel } = await import('@sluice/channel-kafka')
    const server = await sharedKafka()
    atEnd(() => server.stop())
    const topic = { partitions: 1, replicas: 1 }
    return openKafkaChannel({ servers: [server.address], names: channelNames('drivers', `p${process.pid}`), topic })
  },
  'Pub/Sub': async () => {
    const { channelNames, openPubsubChannel } = await import('@sluice/channel-pubsub')
    const server = await sharedPubsub()
    atEnd(() => server.stop())
    const names = channelNames('drivers', `p${process.pid}`, '1')
    return openPubsubChannel({ project: 'sluice-test', emulator: server.address, names })
  },
}

for (const [column, driver] of COLUMNS.entries()) {
  const why = missing[driver]
  if (why !== undefined) test.skip(`the README tells what ${driver} can do (${why})`)
  else
    test(`the README tells what ${driver} can do`, { timeout: 60_000 }, async () => {
      const channel = await OPEN[driver]()
      const { capabilities } = channel
      await channel.close({ deadlineMs: 0 })
      const wanted = Object.entries(ROWS).map(([row, tell]) => [row, tell(capabilities)])
      expect(columnOf(column)).toEqual(wanted)
    })
}

/** Of the table whose heads are the drivers': its rows, and what stands there for one. */
function columnOf(column: number): string[][] {
  const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')
  const lines = readme.split('\n')
  const head = lines.findIndex((line) => line.startsWith(`| | ${COLUMNS.map((name) => `\`${name}\``).join(' | ')}`))
  const rows = lines.slice(
    head + 2,
    lines.findIndex((line, at) => at > head && line === ''),
  )
  return rows.map((line) => {
    const cells = line.split('|').map((cell) => cell.trim())
    return [cells[1]!, cells[column + 2]!]
  })
}
