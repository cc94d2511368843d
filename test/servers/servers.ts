// `pnpm servers`: real servers for a person who wants to play, until Ctrl-C; `pnpm servers --get`: gets their programs only.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { cached, CACHE, onPath } from './find.ts'

const NATS = 'github.com/nats-io/nats-server/v2@latest'

if (onPath('nats-server') === undefined && cached('nats-server') === undefined) await getNats()
if (!process.argv.includes('--get')) {
  const { startNats } = await import('./nats.ts')
  const server = await startNats()
  process.stdout.write(`NATS ${server.url}   (Ctrl-C ends it, and its data goes)\n`)
  const [signal] = await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
  await server.stop()
  process.exit(signal === 'SIGINT' ? 130 : 143)
}

/** By Go's own installer, into the cache. */
async function getNats(): Promise<void> {
  const go = onPath('go') ?? ['/usr/local/go/bin/go'].find((path) => existsSync(path))
  if (go === undefined) {
    process.stderr.write('NATS: neither nats-server nor go is there. Install one of both, and put it on the PATH.\n')
    process.exit(1)
  }
  await mkdir(CACHE, { recursive: true })
  process.stdout.write(`NATS: go install ${NATS}, which takes some minutes\n`)
  const [code] = await once(
    spawn(go, ['install', NATS], { stdio: 'inherit', env: { ...process.env, GOBIN: CACHE } }),
    'exit',
  )
  if (code !== 0) process.exit(1)
  process.stdout.write(`NATS: ${join(CACHE, 'nats-server')}\n`)
}
