// G12: the channels at outside servers, at their contract: publish, hand out, settle. Beside what the server's bare client
// library reaches for the same on the same server, and beside the channel itself with one event at a time.

import type { Context, Goal, Measure, Target } from '../goal.ts'
import { measureOf } from '../measure.ts'
import { startMeasuring, type Measuring } from '../programs/measuring.ts'
import type { QueueReading } from '../programs/queue.ts'
import type { QueueName } from '../programs/queues.ts'
import { oneTrigger, startSluice } from '../programs/sluice.ts'
import { hop, runRounds } from '../rounds.ts'

const TOKENS = 256

type Server = 'nats' | 'kafka' | 'pubsub'

const TARGETS: Readonly<Record<Server, Targets>> = {
  nats: targetsOf('nats', 'NATS JetStream'),
  kafka: targetsOf('kafka', 'Kafka'),
  pubsub: targetsOf('pubsub', 'Google Pub/Sub (emulator)'),
}

export const queuesGoal: Goal = {
  id: 'G12',
  what: 'Channels at outside servers, events of 1 KiB published, handed out and settled',
  targets: Object.values(TARGETS).flatMap(({ client, one }) => [client, one]),
  run: async (context) => [...(await runNats(context)), ...(await runKafka(context)), ...(await runPubsub(context))],
}

interface Targets {
  readonly client: Target
  readonly one: Target
}

function targetsOf(name: Server, title: string): Targets {
  const each = { better: 'higher' } as const
  return {
    client: {
      ...each,
      id: `G12.${name}`,
      what: `Events per second, ${title} channel over the bare client`,
      target: 0.5,
    },
    one: { ...each, id: `G12.${name}.one`, what: `The same over its own with one event at a time`, target: 4 },
  }
}

async function runNats(context: Context): Promise<Measure[]> {
  const { natsMissing, startNats } = await import('../../servers/nats.ts')
  if (natsMissing !== undefined) return leftOut(context, natsMissing)
  const server = await startNats()
  try {
    const throughHttp = await measureHop(context, [natsConfig(server.url), ...oneTrigger(`${context.load.sink}/0`)])
    return await runQueues(context, 'nats', server.url, throughHttp)
  } finally {
    await server.stop()
  }
}

async function runKafka(context: Context): Promise<Measure[]> {
  const { kafkaMissing, startKafka } = await import('../../servers/kafka.ts')
  if (kafkaMissing !== undefined) return leftOut(context, kafkaMissing)
  const server = await startKafka()
  try {
    return await runQueues(context, 'kafka', server.address)
  } finally {
    await server.stop()
  }
}

async function runPubsub(context: Context): Promise<Measure[]> {
  const { pubsubMissing, startPubsub } = await import('../../servers/pubsub.ts')
  if (pubsubMissing !== undefined) return leftOut(context, pubsubMissing)
  const server = await startPubsub()
  try {
    return await runQueues(context, 'pubsub', server.address)
  } finally {
    await server.stop()
  }
}

function leftOut(context: Context, why: string): Measure[] {
  context.say(`left out: ${why}`)
  return []
}

/** The two ConfigMaps by which every Broker is at that server. */
function natsConfig(url: string): string {
  return `apiVersion: v1
kind: ConfigMap
metadata: {name: config-nats, namespace: knative-eventing}
data: {eventing-nats: "url: ${url}"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: config-br-default-channel, namespace: knative-eventing}
data:
  channel-template-spec: |
    apiVersion: messaging.knative.dev/v1alpha1
    kind: NatsJetStreamChannel
`
}

/** Events per second through the whole of Sluice. */
async function measureHop(context: Context, resources: string[]): Promise<number> {
  const program = await startSluice(context, { resources })
  try {
    return (await hop(context, program, { mode: 'binary', dataBytes: 1024 })).eventsPerSecond
  } finally {
    await program.end()
  }
}

async function runQueues(context: Context, server: Server, url: string, throughHttp?: number): Promise<Measure[]> {
  const { warmUpMs, measureMs } = context
  const { client, one } = TARGETS[server]
  const start = (name: QueueName, tokens: number) => (): Promise<Measuring<QueueReading>> =>
    Promise.resolve(startMeasuring(context, './queue.ts', name, url, tokens, warmUpMs, measureMs))
  const contenders = {
    channel: start(`${server}-channel`, TOKENS),
    client: start(`${server}-client`, TOKENS),
    one: start(`${server}-channel`, 1),
  }
  const rounds = await runRounds(context, contenders, ({ reading }) => reading, 'in turn')
  return [
    measureOf(client, rounds, {
      ratio: ({ channel, client }) => channel.perSecond / client.perSecond,
      figures: {
        'channel/s': ({ channel }) => channel.perSecond,
        'client/s': ({ client }) => client.perSecond,
        'channel µs': ({ channel }) => channel.cpuUs,
        'client µs': ({ client }) => client.cpuUs,
        ...(throughHttp !== undefined && { 'through HTTP/s': () => throughHttp }),
      },
    }),
    measureOf(one, rounds, {
      ratio: ({ channel, one }) => channel.perSecond / one.perSecond,
      figures: { 'one at a time/s': ({ one }) => one.perSecond },
    }),
  ]
}
