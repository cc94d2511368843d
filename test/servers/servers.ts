// `pnpm servers`: real servers for a person who wants to play, until Ctrl-C; `pnpm servers --get`: gets their programs only.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cached, CACHE, onPath } from './find.ts'
import { KAFKA_LIBS, KAFKA_POM, startKafka } from './kafka.ts'
import { startNats } from './nats.ts'
import { pubsubProgramMissing, startPubsub } from './pubsub.ts'

const NATS = 'github.com/nats-io/nats-server/v2@latest'

const isNatsThere = onPath('nats-server') !== undefined || cached('nats-server') !== undefined || (await getNats())
const isKafkaThere = existsSync(join(KAFKA_LIBS, 'complete')) || (await getKafka())
if (pubsubProgramMissing !== undefined) process.stderr.write(`Pub/Sub: ${pubsubProgramMissing}\n`)
const isPubsubThere = pubsubProgramMissing === undefined
if (process.argv.includes('--get')) process.exit(isNatsThere && isKafkaThere && isPubsubThere ? 0 : 1)

const servers: { stop(): Promise<void> }[] = []
if (isNatsThere) {
  const nats = await startNats()
  servers.push(nats)
  process.stdout.write(`NATS ${nats.url}   (Ctrl-C ends it, and its data goes)\n`)
}
if (isKafkaThere) {
  const kafka = await startKafka()
  servers.push(kafka)
  process.stdout.write(`Kafka ${kafka.address}   (Ctrl-C ends it, and its data goes)\n`)
}
if (isPubsubThere) {
  const pubsub = await startPubsub()
  servers.push(pubsub)
  process.stdout.write(`Pub/Sub ${pubsub.address}   (as PUBSUB_EMULATOR_HOST; Ctrl-C ends it, and its data goes)\n`)
}
const [signal] = await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
for (const server of servers) await server.stop()
process.exit(signal === 'SIGINT' ? 130 : 143)

/** By Go's own installer, into the cache. Returns whether it is there. */
async function getNats(): Promise<boolean> {
  const go = onPath('go') ?? ['/usr/local/go/bin/go'].find((path) => existsSync(path))
  if (go === undefined) return lacking('NATS', 'neither nats-server nor go is there. Install one of both')
  await mkdir(CACHE, { recursive: true })
  process.stdout.write(`NATS: go install ${NATS}, which takes some minutes\n`)
  if (!(await isDone(go, ['install', NATS], { GOBIN: CACHE }))) return false
  process.stdout.write(`NATS: ${join(CACHE, 'nats-server')}\n`)
  return true
}

/** By Maven, into the cache. Returns whether it is there. */
async function getKafka(): Promise<boolean> {
  const maven = onPath('mvn')
  if (maven === undefined || onPath('java') === undefined) {
    return lacking('Kafka', 'java, 17 or later, and mvn are needed. Install both')
  }
  process.stdout.write(`Kafka: mvn, by ${KAFKA_POM}\n`)
  const folder = `${KAFKA_LIBS}.part`
  await rm(folder, { recursive: true, force: true })
  const words = ['-B', '-q', '-f', KAFKA_POM, 'dependency:copy-dependencies', `-DoutputDirectory=${folder}`]
  if (!(await isDone(maven, words))) return false
  await writeFile(join(folder, 'complete'), '')
  await rm(KAFKA_LIBS, { recursive: true, force: true })
  await rename(folder, KAFKA_LIBS)
  process.stdout.write(`Kafka: ${KAFKA_LIBS}\n`)
  return true
}

function lacking(server: string, what: string): false {
  process.stderr.write(`${server}: ${what}, and put it on the PATH.\n`)
  return false
}

async function isDone(program: string, words: string[], environment: Record<string, string> = {}): Promise<boolean> {
  const child = spawn(program, words, { stdio: 'inherit', env: { ...process.env, ...environment } })
  const [code] = await once(child, 'exit')
  return code === 0
}
