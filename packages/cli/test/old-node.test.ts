// Under a Node that is too old, the command hands over to the one among its dependencies.

import { execFileSync, spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { broker } from '../../../test/support/events.ts'
import { folderOf, SLUICE } from '../../../test/support/sluice.ts'
import { collectText, type Text } from '../../../test/support/text.ts'

/** A Node on the PATH that is too old to run Sluice itself, if there is one. */
const OLD_NODE = (process.env['PATH'] ?? '')
  .split(delimiter)
  .map((folder) => join(folder, 'node'))
  .filter((path) => existsSync(path))
  .find((path) => Number(execFileSync(path, ['-p', 'process.versions.node.split(".")[0]'], { encoding: 'utf8' })) < 22)

interface Started {
  readonly child: ChildProcessWithoutNullStreams
  readonly stdout: Text
  readonly stderr: Text
  readonly exited: Promise<[code: number | null, signal: NodeJS.Signals | null]>
}

function start(...words: string[]): Started {
  const child = spawn(OLD_NODE!, [SLUICE, ...words])
  const exited = once(child, 'exit') as Started['exited']
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await exited
  })
  return { child, stdout: collectText(child.stdout), stderr: collectText(child.stderr), exited }
}

async function startUp(): Promise<Started & { ingress: string; sluice: number }> {
  const ports = ['--listen', '127.0.0.1:0', '--api', '127.0.0.1:0', '--data', join(folderOf({}), 'data')]
  const started = start('up', folderOf({ 'a.yaml': broker() }), ...ports)
  const [, ingress] = await started.stdout.until(/^sluice ready ingress=(\S+) /m)
  const { pid } = started.child
  const sluice = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim())
  return { ...started, ingress: ingress!, sluice }
}

/** Resolves once nothing answers there. */
async function silent(url: string): Promise<void> {
  for (;;) {
    try {
      await fetch(`${url}/healthz`)
    } catch {
      return
    }
  }
}

describe.skipIf(OLD_NODE === undefined)('under an older Node (skipped where none is on the PATH)', () => {
  test('words, output and exit code go through', async () => {
    const version = start('version')
    expect((await version.stdout.until(/\n/)).input).toMatch(/^sluice .* \(node (2[2-9]|[3-9]\d)/)
    expect(await version.exited).toEqual([0, null])
    expect(await start('up', '--hops', '0').exited).toEqual([2, null])
  })

  test('standard input goes through', async () => {
    const { child, stderr, exited } = start('send', '--event', '-', '--server', 'http://127.0.0.1:1')
    child.stdin.end('{}')
    await stderr.until(/no answer from/)
    expect(await exited).toEqual([3, null])
  })

  test.each(['SIGTERM', 'SIGINT'] as const)('%s ends it in good order', async (signal) => {
    const { child, stderr, exited } = await startUp()
    child.kill(signal)
    expect(await exited).toEqual([0, null])
    expect(stderr.soFar()).toContain(`why=${signal}`)
  })

  test('a Ctrl-C in a terminal, which both get, ends it in good order', async () => {
    const { child, sluice, exited } = await startUp()
    process.kill(sluice, 'SIGINT')
    child.kill('SIGINT')
    expect(await exited).toEqual([0, null])
  })

  test('killed, it leaves nothing behind', async () => {
    const { child, ingress, stderr } = await startUp()
    child.kill('SIGKILL')
    await stderr.until(/why=SIGTERM/)
    await silent(ingress)
  })

  test('where Sluice is killed, the exit code says by what', async () => {
    const { sluice, exited } = await startUp()
    process.kill(sluice, 'SIGKILL')
    expect(await exited).toEqual([137, null])
  })

  test('without a newer Node it says what to install', async () => {
    const alone = folderOf({})
    copyFileSync(join(import.meta.dirname, '../bin/newer-node.mjs'), join(alone, 'newer-node.mjs'))
    const script = join(alone, 'run.mjs')
    writeFileSync(
      script,
      "import { runUnderNewerNode } from './newer-node.mjs'\nrunUnderNewerNode(import.meta.url, [])\n",
    )
    const { NODE_PATH: _, ...env } = process.env // pnpm's, where there is a Node as well
    const child = spawn(OLD_NODE!, [script], { env })
    const stderr = collectText(child.stderr)
    const [code] = (await once(child, 'close')) as [number]
    expect(code).toBe(1)
    expect(stderr.soFar()).toMatch(/^Sluice needs Node 22\.19 or later; this is v\d+.*Install/)
  })
})
