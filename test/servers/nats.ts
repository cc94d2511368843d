// A real NATS server with JetStream, on loopback and a free port, to be killed, paused and started again at will.

import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { cached, onPath, required } from './find.ts'
import { freePort, ServerProcess } from './process.ts'

/** The program, where there is one. */
export const natsProgram: string | undefined = onPath('nats-server') ?? cached('nats-server')
/** A server that runs already; it is never killed. */
const running = process.env['SLUICE_TEST_NATS']
/** Why there is no server for tests, and how to get one; `undefined`: there is. Throws in CI. */
export const natsMissing: string | undefined =
  natsProgram !== undefined || running !== undefined
    ? undefined
    : required(
        'NATS',
        'nats-server is not on the PATH; pnpm servers --get installs it, SLUICE_TEST_NATS names one that runs',
      )

/** The same, for tests that kill their server. */
export const natsProgramMissing: string | undefined =
  natsProgram !== undefined
    ? undefined
    : required('NATS', 'nats-server is not on the PATH; pnpm servers --get installs it')

export interface NatsServer {
  /** `nats://127.0.0.1:PORT` */
  readonly url: string
  readonly port: number
  /** As by kill -9; what it had stored stays. */
  kill(): Promise<void>
  /** Starts it again on its port and its data; `config`: another one from here on. */
  start(config?: string): Promise<void>
  /** SIGSTOP: it holds its connections and answers nothing. */
  pause(): void
  resume(): void
  /** Ends it, and removes its data. */
  stop(): Promise<void>
}

/** One that the caller has for itself. `config`: lines for its configuration file. */
export async function startNats(config = ''): Promise<NatsServer> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-nats-'))
  const port = await freePort()
  const server = new ServerProcess()
  let lines = config

  async function start(changed = lines): Promise<void> {
    lines = changed
    const file = join(folder, 'nats.conf')
    await writeFile(
      file,
      `listen: 127.0.0.1:${port}\njetstream { store_dir: ${JSON.stringify(join(folder, 'data'))} }\n${lines}\n`,
    )
    await server.start(natsProgram!, ['-c', file], () => listening(port))
  }

  await start()
  return {
    url: `nats://127.0.0.1:${port}`,
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
export async function sharedNats(): Promise<{ url: string; stop(): Promise<void> }> {
  return running === undefined ? startNats() : { url: running, stop: async () => {} }
}

/** Resolves once somebody listens there and greets. */
async function listening(port: number): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    const socket = connect(port, '127.0.0.1')
    const isThere = await Promise.race([
      once(socket, 'data').then(
        () => true,
        () => false,
      ),
      once(socket, 'error').then(() => false),
      setTimeout(2000).then(() => false),
    ])
    socket.destroy()
    if (isThere) return
    await setTimeout(20)
  }
  throw new Error(`nothing listens on port ${port}`)
}
