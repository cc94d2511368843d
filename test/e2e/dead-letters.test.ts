// Dead letters as operators meet them: `sluice dead-letters`, and `/sluice/v1/dead-letters` behind it.

import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { binary, broker, trigger } from '../support/events.ts'
import { exchange } from '../support/exchange.ts'
import { folderOf, ready, runSluice, startProgram, startSluice, type Ran, type Sluice } from '../support/sluice.ts'
import { header, subscriber, type Answer, type Subscriber } from '../support/subscriber.ts'

let sluice: Sluice
let billing: Subscriber
let shipping: Subscriber

const refusal: Answer = { status: 400, body: 'no such order' }

function yaml(): string {
  return [
    broker(),
    broker('other'),
    trigger('billing', billing.url, ['delivery: {retry: 0}']),
    trigger('shipping', shipping.url, ['delivery: {retry: 0}']),
    trigger('far', billing.url, ['delivery: {retry: 0}'], 'other'),
  ].join('')
}

beforeEach(async () => {
  billing = await subscriber(() => refusal)
  shipping = await subscriber(() => 400)
  sluice = await startSluice({ 'a.yaml': yaml() })
})

function deadLetters(...words: string[]): Promise<Ran> {
  return runSluice(['dead-letters', ...words, '--server', sluice.api])
}

/** Sends events of these ids to a broker and waits until `n` dead letters are there. */
async function send(ids: readonly string[], n: number, to = 'default'): Promise<void> {
  for (const id of ids) {
    const order = binary(
      [
        ['ce-id', id],
        ['content-type', 'application/json'],
      ],
      `{"order":"${id}"}`,
    )
    await exchange(`${sluice.ingress}/default/${to}`, order)
  }
  while ((await listed()) < n);
}

async function listed(query = ''): Promise<number> {
  const answer = await fetch(`${sluice.api}/sluice/v1/dead-letters${query}`)
  return ((await answer.json()) as { items: object[] }).items.length // `total` counts those that are being written too
}

async function idsOf(...words: string[]): Promise<string[]> {
  return (await deadLetters('list', '-o', 'name', ...words)).stdout.trim().split('\n')
}

test('list shows each dead letter with its trigger, what came back, and how often it was tried', async () => {
  await send(['1'], 2)
  const { code, stdout } = await deadLetters('list')
  expect(code).toBe(0)
  const [head, ...rows] = stdout.trim().split('\n')
  expect(head).toMatch(/^ID +TRIGGER +TYPE +CODE +ATTEMPTS +AGE +ERROR$/)
  expect(rows.toSorted()).toEqual([
    expect.stringMatching(/^default\.default\.\d+ +(billing|shipping) +t +400 +1 +\d+s +http:.*400/),
    expect.stringMatching(/^default\.default\.\d+ +(billing|shipping) +t +400 +1 +\d+s +http:.*400/),
  ])
  expect((await deadLetters('list', '--trigger', 'billing')).stdout.trim().split('\n')).toHaveLength(2)
})

test('show has the event with its data as it is, and the beginning of the answer', async () => {
  await send(['1'], 2)
  const [id] = await idsOf('--trigger', 'billing')
  const { stdout } = await deadLetters('show', id!)
  expect(stdout).toMatch(/^Trigger +default\/billing$/m)
  expect(stdout).toMatch(/^Response +no such order$/m)
  expect(stdout).toMatch(/^Last code +400$/m)
  expect(stdout).toContain('Data (13 bytes)\n{\n  "order": "1"\n}\n')
  const json = JSON.parse((await deadLetters('show', id!, '-o', 'json')).stdout) as object
  expect(json).toMatchObject({ id, trigger: 'billing', code: 400, event: { id: '1', data: { order: '1' } } })
})

test('data that is no text is shown in base64, with its size; an answer can’t move the cursor (threat 24)', async () => {
  shipping.answer(() => ({ status: 400, body: 'a\u001b[2Jb' }))
  await exchange(sluice.broker, binary([['content-type', 'image/png']], Buffer.from([0xff, 0xd8, 0x00])))
  while ((await listed()) < 2);
  const [id] = await idsOf('--trigger', 'shipping')
  const { stdout } = await deadLetters('show', id!)
  expect(stdout).toContain('Data (3 bytes, in base64)\n/9gA\n')
  expect(stdout).toMatch(/^Response +a\\u001b\[2Jb$/m)
})

test('redrive by id sends that one once more, marked, and it leaves the box once it is delivered', async () => {
  await send(['1', '2'], 4)
  billing.answer(() => 200)
  const before = billing.all.length
  const [id] = await idsOf('--trigger', 'billing')
  expect((await deadLetters('redrive', id!)).stdout).toBe(
    'redriving 1 dead letter; each leaves the box once it is delivered\n',
  )
  const again = (await billing.received(before + 1))[before]!
  expect(header(again, 'ce-id')).toBe('1')
  expect(header(again, 'ce-sluiceredrive')).toBe('true')
  while ((await listed()) > 3);
  const gone = await deadLetters('show', id!)
  expect(gone).toMatchObject({ code: 1, stdout: '' })
  expect(gone.stderr).toMatch(/There is no dead letter default\.default\.\d+/)
})

test('redrive of a trigger sends all of its own, and nobody else’s', async () => {
  await send(['1', '2'], 4)
  billing.answer(() => 200)
  expect((await deadLetters('redrive', '--trigger', 'billing')).stdout).toMatch(/^redriving 2 dead letters/)
  while ((await listed()) > 2);
  expect(await listed('?trigger=billing')).toBe(0)
  expect((await deadLetters('redrive', '--trigger', 'billing')).stdout).toMatch(/^nothing to redrive/)
})

test('purge takes ids, a trigger, a Broker, or all of a namespace', async () => {
  await send(['1', '2'], 4)
  await send(['3'], 5, 'other')
  const [id] = await idsOf('--trigger', 'billing')
  expect((await deadLetters('purge', id!)).stdout).toBe('purged 1 dead letter\n')
  expect((await deadLetters('purge', '--trigger', 'shipping')).stdout).toBe('purged 2 dead letters\n')
  expect((await deadLetters('purge', '--broker', 'other')).stdout).toBe('purged 1 dead letter\n')
  expect((await deadLetters('purge', '--all', '-n', 'elsewhere')).stdout).toBe('purged 0 dead letters\n')
  expect((await deadLetters('purge', '--all')).stdout).toBe('purged 1 dead letter\n')
  expect((await deadLetters('list')).stderr).toBe('No dead letters in namespace default.\n')
})

test('dead letters of a process that was killed are listed, redriven and purged by the next', async () => {
  await send(['1'], 2)
  const [redriven] = await idsOf('--trigger', 'billing')
  const [purged] = await idsOf('--trigger', 'shipping')
  await sluice.stop('SIGKILL')
  billing.answer(() => 200)
  const data = /data=(\S+)/.exec(sluice.stdout.soFar())![1]!
  const folder = folderOf({ 'a.yaml': yaml() })
  const at = ['--listen', '127.0.0.1:0', '--api', '127.0.0.1:0', '--data', data]
  sluice = await ready(startProgram(['up', join(folder, 'a.yaml'), ...at]), folder)
  // What was not settled yet at the kill comes again, and may make a dead letter of its own: at least once.
  expect(await idsOf()).toEqual(expect.arrayContaining([redriven, purged]))
  expect((await deadLetters('redrive', redriven!)).code).toBe(0)
  while ((await idsOf()).includes(redriven!));
  expect((await deadLetters('purge', purged!)).stdout).toBe('purged 1 dead letter\n')
})

test.each([
  [['show', 'nonsense'], 1, /There is no dead letter nonsense/],
  [['show', 'default.nobody.1'], 1, /There is no Broker nobody in namespace default/],
  [['redrive'], 2, /Name the ids, or a --trigger/],
  [['redrive', '1', '--trigger', 'billing'], 2, /not both/],
  [['purge'], 2, /Name the ids/],
  [['list', '--limit', '501'], 2, /1 to 500/],
  [['list', '--broker', 'nobody'], 1, /There is no Broker nobody/],
  [['list', '-o', 'xml'], 2, /table, json, yaml, name/],
])('sluice dead-letters %j: %i', async (words, code, message) => {
  const ran = await deadLetters(...words)
  expect(ran).toMatchObject({ code, stdout: '' })
  expect(ran.stderr).toMatch(message)
})

describe('/sluice/v1/dead-letters', () => {
  const path = (more = ''): string => `${sluice.api}/sluice/v1/dead-letters${more}`
  const idsAt = async (query: string): Promise<{ ids: string[]; next: string | undefined }> => {
    const answer = (await (await fetch(path(query))).json()) as { items: { id: string }[]; continue?: string }
    return { ids: answer.items.map(({ id }) => id), next: answer.continue }
  }

  test('pages go through all brokers, each entry once, and end', async () => {
    await send(['1', '2'], 4)
    await send(['3'], 5, 'other')
    const all = (await idsAt('')).ids
    expect(new Set(all).size).toBe(5)
    const paged: string[] = []
    let next: string | undefined = ''
    for (let query = '?limit=2'; next !== undefined; query = `?limit=2&continue=${next}`) {
      const page = await idsAt(query)
      expect(page.ids.length).toBeLessThanOrEqual(2)
      paged.push(...page.ids)
      next = page.next
    }
    expect(paged).toEqual(all)
    expect((await idsAt('?limit=5')).next).toBeUndefined()
  })

  test('a slip of the pen does not widen what is purged: unknown, empty or missing parameters are 400', async () => {
    await send(['1'], 2)
    for (const query of ['', '?triger=billing', '?trigger=', '?namespace=default&namespace=x', '?all=1']) {
      expect([query, (await fetch(path(query), { method: 'DELETE' })).status]).toEqual([query, 400])
    }
    expect(await listed()).toBe(2)
  })

  test('a page of another origin changes nothing (threat 19)', async () => {
    await send(['1'], 2)
    for (const origin of ['http://evil.example', 'null', 'http://127.0.0.1:1']) {
      const answer = await fetch(path('?all=true'), { method: 'DELETE', headers: { origin } })
      expect(answer.status).toBe(403)
    }
    expect(await listed()).toBe(2)
    const own = await fetch(path('?all=true'), { method: 'DELETE', headers: { origin: sluice.api } })
    expect(await own.json()).toEqual({ purged: 2 })
  })
})
