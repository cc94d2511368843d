// CloudEvents WebHook, as the receiver (WEBHOOKS 3): a Broker or channel says who may send, and how much, and holds them to it.

import { expect, test } from 'vitest'
import { binary, broker } from '../../../test/support/events.ts'
import { exchange, type HttpAnswer } from '../../../test/support/exchange.ts'
import { sluiceHere } from '../../../test/support/here.ts'
import { acceptedEvents } from '../../../test/support/ops.ts'

const ORIGINS = 'sluice.dev/webhook-allowed-origins'
const RATE = 'sluice.dev/webhook-allowed-rate'

function annotated(annotations: Readonly<Record<string, string>>, kind = 'Broker'): string {
  const group = kind === 'Broker' ? 'eventing' : 'messaging'
  const metadata = JSON.stringify({ name: 'default', annotations })
  return `---\napiVersion: ${group}.knative.dev/v1\nkind: ${kind}\nmetadata: ${metadata}\n`
}

function ask(url: string, origin?: string, rate?: string): Promise<HttpAnswer> {
  const headers = [
    ...(origin === undefined ? [] : [['WebHook-Request-Origin', origin] as const]),
    ...(rate === undefined ? [] : [['WebHook-Request-Rate', rate] as const]),
  ]
  return exchange(url, { method: 'OPTIONS', headers })
}

function consentOf({ status, headers }: HttpAnswer): [number, string | undefined, string | undefined] {
  return [status, headers['webhook-allowed-origin'], headers['webhook-allowed-rate']]
}

function send(url: string, origin?: string): Promise<HttpAnswer> {
  return exchange(url, binary(origin === undefined ? [] : [['WebHook-Request-Origin', origin]]))
}

test.each(['Broker', 'InMemoryChannel'])(
  'a %s with origins consents to those alone, tells them its rate, and takes nothing of others (threat 17)',
  async (kind) => {
    const to = await sluiceHere(annotated({ [ORIGINS]: 'eventgrid.azure.net, b.example', [RATE]: '120' }, kind))
    const url = kind === 'Broker' ? to.broker : `${to.ingress}/channels/default/default`
    expect(consentOf(await ask(url, 'EventGrid.Azure.net', '1000'))).toEqual([200, 'EventGrid.Azure.net', '120'])
    expect(consentOf(await ask(url, 'b.example', '60'))).toEqual([200, 'b.example', '60'])
    expect(consentOf(await ask(url, 'b.example'))).toEqual([200, 'b.example', '120'])
    for (const origin of [undefined, 'evil.example', 'eventgrid.azure.net.evil.example', '*', 'b.example, c']) {
      const answer = await ask(url, origin)
      expect(consentOf(answer)).toEqual([200, undefined, undefined])
      expect(answer.headers['allow']).toContain('POST')
    }
    expect((await send(url, 'b.example')).status).toBe(202)
    expect((await send(url)).status).toBe(202) // not by this handshake
    expect((await send(url, 'evil.example')).json().code).toBe('SLUICE_WEBHOOK_ORIGIN_FORBIDDEN')
    expect((await send(url, 'evil.example')).status).toBe(403)
    const metrics = await (await fetch(`${to.api}/metrics`)).text()
    expect(metrics).toMatch(/sluice_events_accepted_total\{.*\} 2\n/)
    expect(metrics).toMatch(/sluice_events_refused_total\{.*code="403"\} 2\n/)
  },
)

test('beyond its rate an origin gets 429 and when to come again, and others their own', async () => {
  const to = await sluiceHere(annotated({ [ORIGINS]: 'a.example,b.example', [RATE]: '3' }))
  const statuses = async (origin?: string): Promise<number[]> => {
    const all: number[] = []
    for (let n = 0; n < 4; n++) all.push((await send(to.broker, origin)).status)
    return all
  }
  expect(await statuses('a.example')).toEqual([202, 202, 202, 429])
  expect(await send(to.broker, 'a.example')).toMatchObject({ status: 429, headers: { 'retry-after': '20' } })
  expect(await statuses('b.example')).toEqual([202, 202, 202, 429])
  expect(await statuses()).toEqual([202, 202, 202, 429]) // of all that name none
  expect(await acceptedEvents(to.api)).toBe(9)

  await to.apply(annotated({ [ORIGINS]: 'a.example,b.example', [RATE]: '3', 'example.com/note': 'x' }))
  expect((await send(to.broker, 'a.example')).status).toBe(429) // what was counted counts on
  to.clock.advance(20_000)
  expect((await send(to.broker, 'a.example')).status).toBe(202)
  expect((await send(to.broker, 'a.example')).status).toBe(429)
  await to.apply(broker())
  expect((await send(to.broker, 'a.example')).status).toBe(202)
})

test('a rate without origins is that of any; without either, as Knative has it, all may send as much as they like', async () => {
  const to = await sluiceHere(annotated({ [RATE]: '60' }))
  expect(consentOf(await ask(to.broker, 'a.example', '1'))).toEqual([200, '*', '1'])
  expect(consentOf(await ask(to.broker, 'a.example'))).toEqual([200, '*', '60'])
  await to.apply(broker())
  expect(consentOf(await ask(to.broker, 'a.example', '1'))).toEqual([200, '*', '*'])
})

test('nobody has consent to send to what is not there', async () => {
  const to = await sluiceHere(broker())
  expect(consentOf(await ask(`${to.ingress}/default/nobody`, 'a.example'))).toEqual([200, undefined, undefined])
})
