// The Google Pub/Sub emulator, on loopback and a free port, to be killed, paused and started again at will. It keeps
// everything in memory: one that is started again has no topics.

import { globSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { onPath, required } from './find.ts'
import { freePort, ServerProcess } from './process.ts'

/** One that runs already; it is never killed. */
const running = process.env['PUBSUB_EMULATOR_HOST']
const java = onPath('java')
const gcloud = onPath('gcloud')
/** It comes with the Google Cloud CLI, as a component. */
const jar =
  gcloud === undefined
    ? undefined
    : globSync(
        join(dirname(realpathSync(gcloud)), '../platform/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar'),
      )[0]
const missing =
  jar === undefined
    ? 'the Google Cloud CLI on the PATH has no pubsub-emulator; gcloud components install pubsub-emulator gets it'
    : java === undefined
      ? 'java, 17 or later, is not on the PATH'
      : undefined

/** Why there is no emulator for tests, and how to get one; `undefined`: there is. Throws in CI. */
export const pubsubMissing: string | undefined =
  missing === undefined || running !== undefined
    ? undefined
    : required('Pub/Sub', `${missing}; PUBSUB_EMULATOR_HOST names one that runs`)

/** The same, for tests that kill it. */
export const pubsubProgramMissing: string | undefined = missing && required('Pub/Sub', missing)

export interface PubsubServer {
  /** `127.0.0.1:PORT`, as `PUBSUB_EMULATOR_HOST` has it. */
  readonly address: string
  readonly port: number
  /** As by kill -9; what it had is gone. */
  kill(): Promise<void>
  /** Starts it again on its port, empty. */
  start(): Promise<void>
  /** SIGSTOP: it holds its connections and answers nothing. */
  pause(): void
  resume(): void
  stop(): Promise<void>
}

/** One that the caller has for itself. */
export async function startPubsub(): Promise<PubsubServer> {
  const port = await freePort()
  const server = new ServerProcess()
  const words = ['-Xmx512m', '-XX:+UseSerialGC', '-jar', jar!, '--host=127.0.0.1', `--port=${port}`]
  const start = (): Promise<void> => server.start(java!, words, () => answering(port))
  await start()
  return {
    address: `127.0.0.1:${port}`,
    port,
    kill: () => server.kill(),
    start,
    pause: () => server.pause(),
    resume: () => server.resume(),
    stop: () => server.kill(),
  }
}

/** One for tests that share: the one that runs already, or a new one. */
export async function sharedPubsub(): Promise<{ address: string; stop(): Promise<void> }> {
  return running === undefined ? startPubsub() : { address: running, stop: async () => {} }
}

/** Resolves once it lists topics. */
async function answering(port: number): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    const answer = await fetch(`http://127.0.0.1:${port}/v1/projects/any/topics`).catch(() => undefined)
    await answer?.body?.cancel()
    if (answer?.ok === true) return
    await setTimeout(100)
  }
  throw new Error(`no Pub/Sub emulator answers on port ${port}`)
}
