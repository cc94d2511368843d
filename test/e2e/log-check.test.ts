// `sluice log check`: what a data directory holds, told offline, and the same that a start then finds.

import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { binary, broker, trigger } from '../support/events.ts'
import { exchange } from '../support/exchange.ts'
import { folderOf, runSluice, startSluice, type Sluice } from '../support/sluice.ts'
import { idsOf, subscriber } from '../support/subscriber.ts'

/** A data directory with the events `1`, `second` and `3`, which nobody has taken; and the process that has it open. */
async function withEvents(): Promise<{ sluice: Sluice; data: string; segment: string }> {
  const data = join(folderOf({}), 'data')
  const silent = await subscriber(() => new Promise(() => {}))
  const sluice = await startSluice({ 'a.yaml': broker() + trigger('t', silent.url) }, ['--data', data])
  for (const id of ['1', 'second', '3']) {
    expect((await exchange(sluice.broker, binary([['ce-id', id]]))).status).toBe(202)
  }
  const segments = join(data, 'brokers', readdirSync(join(data, 'brokers'))[0]!, 'segments')
  const segment = join(
    segments,
    readdirSync(segments).find((name) => name.endsWith('.seg'))!,
  )
  return { sluice, data, segment }
}

test('what is in good order: 0, with what each store holds and what each trigger has to get', async () => {
  const { sluice, data } = await withEvents()
  await sluice.stop('SIGKILL')
  const checked = await runSluice(['log', 'check', data])
  expect(checked).toMatchObject({ code: 0, stderr: '' })
  expect(checked.stdout).toMatch(
    /^Broker default\/default {2}\S+\n {2}events: 1 segment, 3 entries, \d+ bytes, numbers 1 to 3, 20\S+ to 20\S+\n/,
  )
  expect(checked.stdout).toMatch(/\n {2}trigger [0-9a-f-]{36}: 3 events to deliver, the oldest of 20\S+\n/)
  expect(checked.stdout).toMatch(/\nNo damage found\.\n$/)
})

test('damage: 1, with its place and what is lost; a start tells the same, and delivers the rest (fault 15)', async () => {
  const { sluice, data, segment } = await withEvents()
  await sluice.stop('SIGKILL')
  const bytes = readFileSync(segment)
  bytes[bytes.indexOf('second')]! ^= 1
  writeFileSync(segment, bytes)

  const checked = await runSluice(['log', 'check', data])
  expect(checked.code).toBe(1)
  const [, place] = /\n {2}DAMAGED {2}(\S+: damaged from byte \d+ to \d+); lost: number 2\n/.exec(checked.stdout)!
  expect(place).toContain(segment)
  expect(checked.stdout).toMatch(/\nDamage found in 1 of 1\.\n$/)

  const taker = await subscriber()
  const again = await startSluice({ 'a.yaml': broker() + trigger('t', taker.url) }, ['--data', data])
  const [, path, what] = await again.stderr.until(/stored events can't be read .* {2}path=(\S+) {2}what="([^"]*)"/)
  expect(`${path}: ${what}`).toBe(place)
  await again.stderr.until(/events lost .*trigger=default\/t .*events=1 .*cause=damage/)
  await taker.received(2)
  expect(idsOf(taker)).toEqual(new Set(['1', '3']))
})

test('fault 17: while a process has it open it is refused: 1; a copy is not', async () => {
  const { data } = await withEvents()
  const refused = await runSluice(['log', 'check', data])
  expect(refused).toMatchObject({ code: 1, stdout: '' })
  expect(refused.stderr).toMatch(
    /^sluice log check: A running process has .*data open, and writes to it\. Stop it first/,
  )
  const copy = join(folderOf({}), 'copy')
  cpSync(data, copy, { recursive: true })
  expect(await runSluice(['log', 'check', copy])).toMatchObject({ code: 0, stderr: '' })
})

test.each([
  [['log', 'check', 'nowhere'], 1, /nowhere: There is no such folder\. Name a data directory, such as \.sluice/],
  [['log', 'check', '.'], 1, /It holds no data of Sluice/],
  [['log', 'check'], 2, /missing required argument 'dir'/],
  [['log'], 2, /Usage: sluice log/],
  [['log', 'chek', '.'], 2, /Did you mean check/],
] as const)('sluice %j: %i, and what to do', async (words, code, told) => {
  const ran = await runSluice([...words])
  expect(ran).toMatchObject({ code, stdout: '' })
  expect(ran.stderr).toMatch(told)
})
