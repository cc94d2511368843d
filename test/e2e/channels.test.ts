// Channels in the program: what they keep outlives it, and what a person sees of them.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { binary, channel, subscription } from '../support/events.ts'
import { exchange } from '../support/exchange.ts'
import { settled } from '../support/ops.ts'
import { folderOf, runSluice, startSluice } from '../support/sluice.ts'
import { idsOf, subscriber } from '../support/subscriber.ts'

test.each(['Channel', 'LogChannel'])(
  'a %s keeps what it has taken through a kill, and delivers it after the next start (spec 63)',
  async (kind) => {
    const data = join(folderOf({}), 'data')
    const taker = await subscriber(() => new Promise(() => {}))
    const yaml = channel('ch', '{}', kind) + subscription('s', 'ch', taker.url, [], kind)
    const first = await startSluice({ 'a.yaml': yaml }, ['--data', data])
    for (const id of ['1', '2', '3']) {
      expect((await exchange(`${first.ingress}/channels/default/ch`, binary([['ce-id', id]]))).status).toBe(202)
    }
    await taker.received(3)
    await first.stop('SIGKILL')
    expect(existsSync(join(data, 'channels'))).toBe(true)
    const checked = await runSluice(['log', 'check', data])
    expect(checked.stdout).toMatch(/^Channel default\/ch {2}/m)

    taker.answer(() => 202)
    const second = await startSluice({ 'a.yaml': yaml }, ['--data', data])
    await second.stderr.until(/INFO {2}opened the log that was there {2}channel=default\/ch {2}stored=3/)
    await taker.received(6)
    await settled(second.api)
    expect(idsOf(taker)).toEqual(new Set(['1', '2', '3']))

    const third = await startSluice({}, ['--data', data]).catch((error: Error) => error)
    expect(third).toBeInstanceOf(Error) // the second has it
    await second.stop()
    const last = await startSluice({ 'b.yaml': channel('other') }, ['--data', data])
    await last.stderr.until(/WARN {2}Channel deleted; its data waits in the trash {2}channel=default\/ch/)
  },
)

test('get and describe show channels and Subscriptions as kn does', async () => {
  const taker = await subscriber()
  const reply = 'reply: {ref: {apiVersion: messaging.knative.dev/v1, kind: Channel, name: next}}'
  const sluice = await startSluice({
    'a.yaml':
      channel(
        'ch',
        '{channelTemplate: {apiVersion: messaging.knative.dev/v1, kind: InMemoryChannel}, delivery: {retry: 4}}',
      ) +
      channel('next') +
      subscription('s', 'ch', taker.url, [reply]),
  })
  const run = async (...words: string[]): Promise<string> =>
    (await runSluice(words, { env: { SLUICE_SERVER: sluice.api } })).stdout.replaceAll(/ {2,}/g, '  ')
  expect(await run('get', 'ch')).toMatch(
    new RegExp(
      `^NAME {2}TYPE {2}URL {2}AGE {2}READY {2}REASON\nch {2}InMemoryChannel {2}${sluice.ingress}/channels/default/ch {2}\\d+s {2}True\nnext {2}LogChannel {2}`,
    ),
  )
  expect(await run('get', 'sub')).toBe(
    `NAME  CHANNEL  SUBSCRIBER  REPLY  DEAD LETTER SINK  READY  REASON\ns  channel:ch  ${taker.url}  channel:next  <none>  True\n`,
  )
  const channelText = await run('describe', 'channel', 'ch')
  expect(channelText).toContain('Made of:\n  Kind:  InMemoryChannel\n  Subscriptions:  1\n')
  expect(channelText).toContain('Subscriptions without their own:  retry 4\n')
  const text = await run('describe', 'subscription')
  expect(text).toContain(`Reply:\n  Destination:  channel:next\n  URI:  ${sluice.ingress}/channels/default/next\n`)
  expect(text).toContain('By:  Channel ch\n  Retry:  4 times')
  expect(sluice.stderr.soFar()).toContain('No Subscription is declared for Channel default/next')
})
