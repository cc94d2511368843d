// The end: what was accepted is delivered or reported lost in words, whoever ends it and however. On a channel in memory,
// which has only until then; what a log keeps is in restart.test.ts.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { Agent } from 'node:http'
import { describe, expect, onTestFinished, test } from 'vitest'
import { binary, broker, trigger } from '../support/events.ts'
import { dial, encode, exchange } from '../support/exchange.ts'
import { load, post } from '../support/load.ts'
import { folderOf, SLUICE, startSluice, type Sluice } from '../support/sluice.ts'
import { idsOf, subscriber, type Subscriber } from '../support/subscriber.ts'
import { collectText, type Text } from '../support/text.ts'

const IN_MEMORY = ['--channel', 'memory']

async function start(taker: Subscriber, words: readonly string[] = []): Promise<Sluice> {
  const delivery = ['delivery: {retry: 3, backoffDelay: PT0.05S}']
  return startSluice({ 'a.yaml': broker() + trigger('taker', taker.url, delivery) }, [...IN_MEMORY, ...words])
}

describe('fault 5', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s under load: not ready, new events refused with 503, what is under way finished, exit 0, nothing lost',
    async (signal) => {
      const gate = Promise.withResolvers<number>()
      const taker = await subscriber((_request, n) => (n > 300 ? gate.promise : 202))
      const sluice = await start(taker)
      const senders = load(sluice.broker, 8)
      await senders.acceptedAtLeast(500)

      sluice.process.kill(signal)
      await senders.refusedAtLeast(10)
      expect(new Set(senders.refused.map(({ status }) => status))).toEqual(new Set([503]))
      expect(senders.refused.every(({ retryAfter }) => Number(retryAfter) > 0)).toBe(true)
      const ready = await fetch(`${sluice.api}/readyz`)
      expect([ready.status, await ready.text()]).toEqual([503, 'draining\n'])
      expect((await fetch(`${sluice.api}/livez`)).status).toBe(200)

      gate.resolve(202)
      expect(await sluice.exited).toEqual({ code: 0, signal: null })
      await senders.over
      const delivered = idsOf(taker)
      expect([...senders.accepted].filter((id) => !delivered.has(id))).toEqual([])
      expect(sluice.stderr.soFar()).not.toContain('events lost')
    },
  )

  test('what can not be delivered within the grace is reported lost, by number', async () => {
    const silent = await subscriber(() => new Promise(() => {}))
    const sluice = await start(silent, ['--grace', '1', '--log-format', 'json'])
    for (let n = 0; n < 7; n++) expect((await exchange(sluice.broker, binary([['ce-id', String(n)]]))).status).toBe(202)
    await silent.received(7)
    expect(await sluice.stop()).toEqual({ code: 0, signal: null })
    const [line] = await sluice.stderr.until(/^.*events lost.*$/m)
    expect(JSON.parse(line)).toMatchObject({
      trigger: 'default/taker',
      broker: 'default',
      events: 7,
      level: 50,
      cause: 'shutdown',
    })
  })

  test('a failed try is made again within the grace', async () => {
    let n = 0
    const flaky = await subscriber(() => (++n < 3 ? 500 : 202))
    const sluice = await start(flaky)
    expect((await exchange(sluice.broker, binary())).status).toBe(202)
    expect(await sluice.stop()).toEqual({ code: 0, signal: null })
    expect(flaky.all).toHaveLength(3)
    expect(sluice.stderr.soFar()).not.toContain('events lost')
  })

  test('a subscriber that is down is not waited for: its events are reported lost', async () => {
    const gone = await subscriber()
    await gone.close()
    const delivery = ['delivery: {retry: 1000, backoffDelay: PT0.01S, backoffPolicy: linear}']
    const words = [...IN_MEMORY, '--grace', '3600']
    const sluice = await startSluice({ 'a.yaml': broker() + trigger('gone', gone.url, delivery) }, words)
    expect((await exchange(sluice.broker, binary())).status).toBe(202)
    await sluice.stderr.until(/subscriber is down/)
    expect(await sluice.stop()).toEqual({ code: 0, signal: null })
    await sluice.stderr.until(/events lost.*events=1/)
  })

  test('a second signal ends it at once, and says what that means', async () => {
    const silent = await subscriber(() => new Promise(() => {}))
    const sluice = await start(silent, ['--grace', '3600'])
    expect((await exchange(sluice.broker, binary())).status).toBe(202)
    await silent.received(1)
    sluice.process.kill('SIGTERM')
    await sluice.stderr.until(/stopping/)
    while (sluice.process.exitCode === null) {
      sluice.process.kill('SIGTERM')
      await fetch(`${sluice.api}/livez`).catch(() => sluice.exited)
    }
    expect(await sluice.exited).toEqual({ code: 1, signal: null })
    expect(sluice.stderr.soFar()).toMatch(/events in memory are lost/)
  })

  test('the same signal twice at once, as from a Ctrl-C that a launcher passes on, is one', async () => {
    const gate = Promise.withResolvers<number>()
    const taker = await subscriber(() => gate.promise)
    const sluice = await start(taker)
    expect((await exchange(sluice.broker, binary())).status).toBe(202)
    await taker.received(1)
    sluice.process.kill('SIGINT')
    sluice.process.kill('SIGTERM')
    await sluice.stderr.until(/stopping/)
    gate.resolve(202)
    expect(await sluice.exited).toEqual({ code: 0, signal: null })
    expect(sluice.stderr.soFar()).not.toContain('lost')
  })

  test('a sender that never ends its request does not delay the end beyond the grace (fault 36)', async () => {
    const taker = await subscriber()
    const sluice = await start(taker, ['--grace', '1'])
    const [head, body, api] = [await dial(sluice.broker), await dial(sluice.broker), await dial(sluice.api)]
    head.write('POST /default/default HTTP/1.1\r\nHost: x\r\nce-id: ')
    body.write(encode(sluice.broker, binary([], 'a body')).subarray(0, -1))
    api.write('GET /metrics HTTP/1.1\r\nHost: ')
    expect((await exchange(sluice.broker, binary())).status).toBe(202)
    expect(await sluice.stop()).toEqual({ code: 0, signal: null })
    await Promise.all([head.closed, body.closed, api.closed])
  })

  test('without anything to do it ends at once, idle connections or not', async () => {
    const taker = await subscriber()
    const sluice = await start(taker, ['--grace', '3600'])
    const agent = new Agent({ keepAlive: true })
    expect((await post(sluice.broker, '1', agent))?.status).toBe(202)
    expect(await sluice.stop()).toEqual({ code: 0, signal: null })
    expect(taker.all).toHaveLength(1)
    agent.destroy()
  })
})

describe('started by npm or npx', () => {
  /** A parent that starts `sluice up` as npm does, prints its pid, and lives until it is killed. */
  const PARENT = `
    const { spawn } = require('node:child_process')
    const child = spawn(process.execPath, process.argv.slice(1), { stdio: 'inherit' })
    console.error('pid=' + child.pid)
    setInterval(() => {}, 1000)`

  async function startUnderNpm(yaml: string): Promise<UnderNpm> {
    return startWords([SLUICE, 'up', folderOf({ 'a.yaml': yaml })])
  }

  async function startWords(words: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<UnderNpm> {
    const ports = ['--listen', '127.0.0.1:0', '--api', '127.0.0.1:0', '--data', join(folderOf({}), 'data')]
    const parent = spawn(process.execPath, ['-e', PARENT, ...words, ...ports], {
      env: { ...process.env, ...more, npm_lifecycle_event: 'start' },
    })
    const [stdout, stderr] = [collectText(parent.stdout), collectText(parent.stderr)]
    const ended = once(parent.stdout, 'close') // once nobody has the pipe any more, the program's end included
    const [, pid] = await stderr.until(/^pid=(\d+)$/m)
    let isOver = false
    void ended.then(() => (isOver = true))
    onTestFinished(() => {
      parent.kill('SIGKILL')
      if (!isOver) process.kill(Number(pid), 'SIGKILL')
    })
    const [, ingress, api] = await stdout.until(/^sluice ready ingress=(\S+) api=(\S+) /m)
    return { parent, pid: Number(pid), broker: `${ingress}/default/default`, api: api!, stderr, ended }
  }

  // How soon is a matter of the machine (it looks twice a second); that it ends at all is what is awaited.
  test.each(['SIGKILL', 'SIGTERM'] as const)('it ends after its parent’s end by %s', async (signal) => {
    const { parent, stderr, ended } = await startUnderNpm(broker())
    parent.kill(signal)
    await ended
    expect(stderr.soFar()).toContain('the process that started it has ended')
  })

  test('so does the quickstart, which is started so most of all', async () => {
    const env = { SLUICE_QUICKSTART: join(folderOf({ 'a.yaml': broker() }), 'a.yaml') }
    const { parent, stderr, ended } = await startWords([join(dirname(SLUICE), 'quickstart.mjs')], env)
    parent.kill('SIGKILL')
    await ended
    expect(stderr.soFar()).toContain('the process that started it has ended')
  })

  test('its parent’s end while it stops already is no second signal: what is under way is finished', async () => {
    const gate = Promise.withResolvers<number>()
    const taker = await subscriber(() => gate.promise)
    const { parent, pid, broker: url, api, stderr, ended } = await startUnderNpm(broker() + trigger('t', taker.url))
    expect((await exchange(url, binary())).status).toBe(202)
    await taker.received(1)
    process.kill(pid, 'SIGINT')
    await stderr.until(/stopping/)
    parent.kill('SIGKILL')
    // Long enough for the program to see it.
    for (const end = performance.now() + 1200; performance.now() < end;) {
      expect((await fetch(`${api}/livez`)).status).toBe(200)
    }
    gate.resolve(202)
    await ended
    expect(stderr.soFar()).not.toContain('lost')
  })
})

/** `sluice up` under a parent like npm. */
interface UnderNpm {
  readonly parent: ChildProcess
  /** Of the program itself. */
  readonly pid: number
  readonly broker: string
  readonly api: string
  readonly stderr: Text
  /** Resolves once both have ended. */
  readonly ended: Promise<unknown>
}
