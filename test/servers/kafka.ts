// A real Kafka server in KRaft mode, on loopback and free ports, to be killed, paused and started again at will.

import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { CACHE, onPath, required } from './find.ts'
import { freePort, ServerProcess } from './process.ts'

/** What Maven is told to get. */
export const KAFKA_POM: string = join(import.meta.dirname, 'kafka-pom.xml')
/** The folder of Kafka's jars, of that version. */
export const KAFKA_LIBS: string = join(
  CACHE,
  `kafka-${/<version>(\d+\.\d+\.\d+)</.exec(await readFile(KAFKA_POM, 'utf8'))![1]}`,
)

/** A server that runs already; it is never killed. */
const running = process.env['SLUICE_TEST_KAFKA']
const java = onPath('java')
const missing =
  java === undefined
    ? 'java, 17 or later, is not on the PATH'
    : existsSync(join(KAFKA_LIBS, 'complete'))
      ? undefined
      : 'pnpm servers --get gets it from Maven Central'

/** Why there is no server for tests, and how to get one; `undefined`: there is. Throws in CI. */
export const kafkaMissing: string | undefined =
  missing === undefined || running !== undefined
    ? undefined
    : required('Kafka', `${missing}; SLUICE_TEST_KAFKA names one that runs`)

/** The same, for tests that kill their server. */
export const kafkaProgramMissing: string | undefined = missing && required('Kafka', missing)

export interface KafkaServer {
  /** `127.0.0.1:PORT`, as clients want it. */
  readonly address: string
  readonly port: number
  /** As by kill -9; what it had stored stays. */
  kill(): Promise<void>
  /** Starts it again on its ports and its data; `settings`: others from here on. */
  start(settings?: string): Promise<void>
  /** SIGSTOP: it holds its connections and answers nothing. */
  pause(): void
  resume(): void
  /** Ends it, and removes its data. */
  stop(): Promise<void>
}

export interface KafkaOptions {
  /** Lines for its server.properties. */
  readonly settings?: string
  /** What clients speak to it. Default PLAINTEXT. */
  readonly protocol?: 'PLAINTEXT' | 'SASL_PLAINTEXT' | 'SSL'
  /** Where it tells clients that it is, such as a proxy before it. Default: where it is. */
  readonly advertisedPort?: number
  /** Words for its storage tool, such as `--add-scram`, SETTING. */
  readonly format?: readonly string[]
}

/** One that the caller has for itself. */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaServer> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-kafka-'))
  const [port, controllerPort] = [await freePort(), await freePort()]
  const server = new ServerProcess()
  const file = join(folder, 'server.properties')
  const { protocol = 'PLAINTEXT', advertisedPort = port } = options
  let { settings = '' } = options

  async function configure(): Promise<void> {
    await writeFile(
      file,
      `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${controllerPort}
listeners=CLIENTS://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}
advertised.listeners=CLIENTS://127.0.0.1:${advertisedPort}
listener.security.protocol.map=CLIENTS:${protocol},CONTROLLER:PLAINTEXT
inter.broker.listener.name=CLIENTS
controller.listener.names=CONTROLLER
log.dirs=${join(folder, 'data')}
num.partitions=1
auto.create.topics.enable=false
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
log.cleaner.dedupe.buffer.size=4194304
${settings}
`,
    )
  }

  async function start(changed = settings): Promise<void> {
    settings = changed
    await configure()
    await server.start(java!, [...JAVA, 'kafka.Kafka', file], () => listening(port))
  }

  await configure()
  const cluster = Buffer.from(crypto.randomUUID().replaceAll('-', ''), 'hex').toString('base64url')
  await promisify(execFile)(java!, [
    ...JAVA,
    ...['kafka.tools.StorageTool', 'format', '-t', cluster, '-c', file, ...(options.format ?? [])],
  ])
  await start()
  return {
    address: `127.0.0.1:${port}`,
    port,
    kill: () => server.kill(),
    start,
    pause: () => server.pause(),
    resume: () => server.resume(),
    stop: async () => {
      await server.kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** One for tests that share: the one that runs already, or a new one. */
export async function sharedKafka(): Promise<{ address: string; stop(): Promise<void> }> {
  return running === undefined ? startKafka() : { address: running, stop: async () => {} }
}

const JAVA = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', join(KAFKA_LIBS, '*')]

/** Resolves once it takes connections: it does so when it is done with its start. */
async function listening(port: number): Promise<void> {
  for (let tries = 0; tries < 1200; tries++) {
    const socket = connect(port, '127.0.0.1')
    const isThere = await Promise.race([
      once(socket, 'connect').then(
        () => true,
        () => false,
      ),
      once(socket, 'error').then(() => false),
    ])
    socket.destroy()
    if (isThere) return
    await setTimeout(50)
  }
  throw new Error(`nothing listens on port ${port}`)
}
