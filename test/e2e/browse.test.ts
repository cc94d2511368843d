// Stored events, browsed by `GET /sluice/v1/events`.

import { beforeAll, describe, expect, test } from 'vitest'
import { binary, broker, trigger } from '../support/events.ts'
import { exchange } from '../support/exchange.ts'
import { startSluice, type Sluice } from '../support/sluice.ts'

let sluice: Sluice
let between: string

interface Page {
  readonly items: readonly { position: string; time: string; event: { id: string; data?: unknown } }[]
  readonly continue?: string
}

async function page(query = ''): Promise<Page> {
  const answer = await fetch(`${sluice.api}/sluice/v1/events${query}`)
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`)
  return (await answer.json()) as Page
}

async function ids(query = ''): Promise<string[]> {
  return (await page(query)).items.map(({ event }) => event.id)
}

async function send(id: string, type: string, data = '{"n": 1.0}'): Promise<void> {
  const headers = [
    ['ce-id', id],
    ['ce-type', type],
    ['content-type', 'application/json'],
  ] as const
  expect((await exchange(sluice.broker, binary(headers, data))).status).toBe(202)
}

beforeAll(async () => {
  sluice = await startSluice({ 'a.yaml': broker() + trigger('nobody', 'http://127.0.0.1:9/') })
  await send('1', 'a')
  await send('2', 'b')
  while (Date.now() <= Date.parse((await page()).items.at(-1)!.time));
  between = new Date().toISOString()
  await send('3', 'a')
})

test('events are shown as they were stored, their data as the text that came', async () => {
  const text = await (await fetch(`${sluice.api}/sluice/v1/events?limit=1`)).text()
  expect(text).toContain('"data":{"n": 1.0}')
  expect(JSON.parse(text)).toMatchObject({ items: [{ event: { id: '1', type: 'a', source: '/s' } }] })
})

test('they are read from a position, from a time and up to one, and by attributes', async () => {
  expect(await ids()).toEqual(['1', '2', '3'])
  const [first, second] = (await page()).items
  expect(await ids(`?from=${first!.position}`)).toEqual(['2', '3'])
  expect(await ids(`?to=${second!.position}`)).toEqual(['1', '2'])
  expect(await ids(`?from=${between}`)).toEqual(['3'])
  expect(await ids(`?to=${between}`)).toEqual(['1', '2'])
  expect(await ids('?filter=type=a')).toEqual(['1', '3'])
  expect(await ids('?filter=type=a&filter=id=3')).toEqual(['3'])
})

test('pages end where they are asked to, and `continue` is the next place', async () => {
  const seen: string[] = []
  let next: string | undefined = 'earliest'
  while (next !== undefined) {
    const { items, continue: after }: Page = await page(`?limit=2&from=${next}`)
    seen.push(...items.map(({ event }) => event.id))
    next = after
  }
  expect(seen).toEqual(['1', '2', '3'])
})

test('a page of large events ends at 8 MiB, and the next goes on', async () => {
  const large = `"${'x'.repeat(1024 * 1024 - 1000)}"`
  for (let n = 0; n < 20; n++) await send(`large-${n}`, 'large', large)
  const { items, continue: next } = await page('?filter=type=large')
  expect(items.length).toBeLessThan(20)
  expect(items.length + (await ids(`?filter=type=large&from=${next!}`)).length).toBe(20)
})

describe('is refused', () => {
  test.each([
    ['?from=nowhere', 400, /position/],
    ['?limit=0', 400, /1 to 1000/],
    ['?filter=type', 400, /NAME=VALUE/],
    ['?filter=Type=a', 400, /Type/],
    ['?broker=nobody', 404, /no Broker nobody/],
    ['?broker=default/orders', 400, /write namespace=default&broker=orders/],
    ['?form=earliest', 400, /from, to, limit, filter/],
  ])('%s: %i', async (query, status, message) => {
    const answer = await fetch(`${sluice.api}/sluice/v1/events${query}`)
    expect([answer.status, await answer.text()]).toEqual([status, expect.stringMatching(message)])
  })

  test('by a channel in memory, in words', async () => {
    const other = await startSluice({ 'a.yaml': broker() }, ['--channel', 'memory'])
    const answer = await fetch(`${other.api}/sluice/v1/events`)
    expect(answer.status).toBe(422)
    expect(await answer.json()).toMatchObject({ code: 'SLUICE_CHANNEL_UNSUPPORTED' })
  })
})
