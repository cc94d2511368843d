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
import type { Authority } from '../support/certificates.ts'
import { CACHE, onPath, required } from './find.ts'
import { freePort, ServerProcess } from './process.ts'
import type { Proxy } from './proxy.ts'

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
  readonly protocol?: 'PLAINTEXT' | 'SASL_SSL'
  /** A proxy before it: clients that come through that are told to come back through it. */
  readonly proxy?: Proxy
  /** Words for its storage tool, such as `--add-scram`, SETTING. */
  readonly format?: readonly string[]
}

/** One that the caller has for itself. */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaServer> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-kafka-'))
  const [port, controllerPort] = [await freePort(), await freePort()]
  const server = new ServerProcess()
  const file = join(folder, 'server.properties')
  const { protocol = 'PLAINTEXT', proxy } = options
  const behindPort = proxy === undefined ? undefined : await freePort()
  if (behindPort !== undefined) proxy!.to(behindPort)
  const [behind, advertised] = [`,BEHIND://127.0.0.1:${behindPort}`, `,BEHIND://127.0.0.1:${proxy?.port}`]
  let { settings = '' } = options

  async function configure(): Promise<void> {
    await writeFile(
      file,
      `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${controllerPort}
listeners=CLIENTS://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}${proxy === undefined ? '' : behind}
advertised.listeners=CLIENTS://127.0.0.1:${port}${proxy === undefined ? '' : advertised}
listener.security.protocol.map=CLIENTS:${protocol},BEHIND:PLAINTEXT,CONTROLLER:PLAINTEXT
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

/** Who may get into a server of {@link guardedKafka}. */
export const GUARDED = { user: 'app', password: 'app-secret' }

/**
 * Options of a server that lets nobody in but {@link GUARDED}, by PLAIN or SCRAM, over TLS, with a certificate of `authority`;
 * its own is of `authority` too.
 */
export function guardedKafka(authority: Authority): KafkaOptions {
  const own = authority.issue('kafka')
  const oneLine = (pem: string): string => pem.trim().replaceAll('\n', '\\n')
  const login = (module: string, more = ''): string =>
    `org.apache.kafka.common.security.${module} required username="admin" password="admin-secret"${more};`
  const { user, password } = GUARDED
  const scram = ['SCRAM-SHA-256', 'SCRAM-SHA-512']
  return {
    protocol: 'SASL_SSL',
    settings: `
sasl.mechanism.inter.broker.protocol=PLAIN
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.clients.plain.sasl.jaas.config=${login('plain.PlainLoginModule', ` user_admin="admin-secret" user_${user}="${password}"`)}
listener.name.clients.scram-sha-256.sasl.jaas.config=${login('scram.ScramLoginModule')}
listener.name.clients.scram-sha-512.sasl.jaas.config=${login('scram.ScramLoginModule')}
listener.name.clients.ssl.client.auth=required
listener.name.clients.ssl.keystore.type=PEM
listener.name.clients.ssl.keystore.key=${oneLine(own.key)}
listener.name.clients.ssl.keystore.certificate.chain=${oneLine(own.certificate)}
listener.name.clients.ssl.truststore.type=PEM
listener.name.clients.ssl.truststore.certificates=${oneLine(authority.certificate)}`,
    format: scram.flatMap((mechanism) => ['--add-scram', `${mechanism}=[name=${user},password=${password}]`]),
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
