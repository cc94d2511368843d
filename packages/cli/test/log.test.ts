// The log as people and machines read it, and as nobody does.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { openLog, type LogOptions } from '../src/log.ts'
import { collectText } from '../../../test/support/text.ts'

/** A log, and its lines so far. */
function log(options: Partial<LogOptions> = {}): { log: ReturnType<typeof openLog>; lines: string[] } {
  const lines: string[] = []
  const to = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString())
      done()
    },
  })
  return { log: openLog({ level: 'info', format: 'text', to, ...options }), lines }
}

test('text has time, level, message, and fields as key=value', () => {
  const { log: to, lines } = log({ level: 'debug' })
  to.warn({ trigger: 'shop/orders', events: 3, reason: 'two words', of: ['a'] }, 'events lost')
  to.debug('short')
  expect(lines).toEqual([
    expect.stringMatching(
      /^\d\d:\d\d:\d\d\.\d{3} WARN {2}events lost {2}trigger=shop\/orders {2}events=3 {2}reason="two words" {2}of=\["a"\]\n$/,
    ),
    expect.stringMatching(/ DEBUG short\n$/),
  ])
})

test('lines below the level are not written', () => {
  const { log: to, lines } = log({ level: 'error' })
  to.warn('no')
  to.error('yes')
  expect(lines).toHaveLength(1)
})

test('json is a JSON object on each line', () => {
  const { log: to, lines } = log({ format: 'json' })
  to.error({ trigger: 'shop/orders', error: new Error('why') }, 'events lost')
  expect(JSON.parse(lines[0]!)).toMatchObject({
    level: 50,
    msg: 'events lost',
    trigger: 'shop/orders',
    error: { message: 'why' },
  })
})

describe('threat 24', () => {
  const EVIL = [
    '\n00:00:00.000 ERROR all is lost',
    '\r\u001b[2J\u001b[31m',
    '\u009b31m',
    '\u0000\u0007\u007f',
    '\u202egnp.exe',
    '\u2066a\u2069',
  ]
  test.each(['text', 'json'] as const)('what a sender wrote can’t fake a line of the log (%s)', (format) => {
    const { log: to, lines } = log({ format })
    for (const evil of EVIL) to.info({ id: evil, [evil]: 1 }, evil)
    expect(lines).toHaveLength(EVIL.length)
    for (const line of lines) expect(line.indexOf('\n')).toBe(line.length - 1)
  })

  test.each(EVIL)('nor move the cursor or turn the text around: %j', (evil) => {
    const { log: to, lines } = log()
    to.info({ id: evil, [evil]: 1 }, evil)
    // oxlint-disable-next-line no-control-regex
    expect(lines[0]!.trimEnd()).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/)
  })
})

describe('fault 60', () => {
  test('a reader that doesn’t read stops nothing; lines beyond 1 MiB are dropped, and how many is told', () => {
    let release = (): void => {}
    const lines: string[] = []
    const to = new Writable({
      write(chunk: Buffer, _encoding, done) {
        lines.push(chunk.toString())
        release = done
      },
    })
    const blocked = openLog({ level: 'info', format: 'text', to })
    for (let n = 0; n < 100; n++) blocked.info('x'.repeat(100_000))
    expect(to.writableLength).toBeLessThan(1_300_000)
    const kept = Math.ceil((1024 * 1024) / 100_021) // the last one that began below the bound is whole
    return (async () => {
      while (to.writableLength > 0) {
        release()
        await new Promise((resolve) => setImmediate(resolve))
      }
      expect(lines).toHaveLength(kept)
      blocked.info('after')
      release()
      await new Promise((resolve) => setImmediate(resolve))
      expect(lines.slice(kept)).toEqual([
        expect.stringMatching(new RegExp(`WARN {2}lines of the log were dropped.* {2}lines=${100 - kept}\n$`)),
        expect.stringMatching(/INFO {2}after\n$/),
      ])
    })()
  })

  test.each(['nobody reads', 'a reader that left'])(
    '%s: the process works on, and ends when it wants to',
    async (which) => {
      const child = spawn(process.execPath, [join(import.meta.dirname, 'programs/talkative.ts')])
      if (which === 'a reader that left') child.stderr.destroy()
      const said = collectText(child.stdout)
      expect((await said.until(/worked .*\n/))[0]).toBe('worked on\n')
      const [code] = (await once(child, 'exit')) as [number]
      expect(code).toBe(0)
    },
  )
})
