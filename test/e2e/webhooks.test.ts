// Webhooks wired to services, through the running program: GitHub's own examples, signed, from the door to the subscriber.

import examples from '@octokit/webhooks-examples'
import { sign } from '@octokit/webhooks-methods'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { broker, trigger } from '../support/events.ts'
import { adapterSays } from './github-adapter.ts'
import { runSluice, startSluice, type Sluice } from '../support/sluice.ts'
import { ceHeaders, subscriber, type Subscriber } from '../support/subscriber.ts'
import { acceptedEvents } from '../support/ops.ts'

const SECRET = 'canary-8c1f'
const SOURCE = `---
apiVersion: v1
kind: Secret
metadata: { name: github }
stringData: { secret: env:GITHUB_SECRET }
---
apiVersion: sources.sluice.dev/v1alpha1
kind: WebhookSource
metadata: { name: github }
spec:
  preset: github
  secretRefs: [{ name: github, key: secret }]
  sink: { ref: { apiVersion: eventing.knative.dev/v1, kind: Broker, name: default } }
`

interface Payload {
  readonly name: string
  readonly body: string
  readonly payload: Readonly<Record<string, unknown>>
}

/** Every payload of the package, as GitHub would send it. */
const payloads: readonly Payload[] = (
  examples as unknown as readonly { name: string; examples: readonly Record<string, unknown>[] }[]
).flatMap(({ name, examples: all }) => all.map((payload) => ({ name, payload, body: JSON.stringify(payload) })))

let sluice: Sluice
let everything: Subscriber
let pushes: Subscriber
let issues: Subscriber
let url: string

beforeAll(async () => {
  everything = await subscriber()
  pushes = await subscriber()
  issues = await subscriber()
  const yaml = [
    broker(),
    trigger('all', everything.url),
    trigger('pushes', pushes.url, ['filters: [{exact: {type: com.github.push}}]']),
    trigger('issues', issues.url, ['filters: [{prefix: {type: com.github.issues.}}]']),
    SOURCE,
  ].join('')
  sluice = await startSluice({ 'sluice.yaml': yaml }, [], { env: { GITHUB_SECRET: SECRET } })
  url = `${sluice.ingress}/webhooks/default/github`
})

async function send(name: string, id: string, body: string, signature?: string): Promise<Response> {
  const headers = {
    'content-type': 'application/json',
    'user-agent': 'GitHub-Hookshot/044aadd',
    'x-github-event': name,
    'x-github-delivery': id,
    ...(signature !== undefined && { 'x-hub-signature-256': signature }),
  }
  return fetch(url, { method: 'POST', headers, body })
}

test('every payload of GitHub is taken once it is signed, and arrives as the adapter says, its bytes as they came', async () => {
  expect(payloads.length).toBeGreaterThan(250)
  const expected = new Map<string, Payload>()
  for (const [i, payload] of payloads.entries()) {
    const answer = await send(payload.name, `d-${i}`, payload.body, await sign(SECRET, payload.body))
    expect([payload.name, answer.status]).toEqual([payload.name, payload.name === 'ping' ? 200 : 202])
    if (payload.name !== 'ping') expected.set(`d-${i}`, payload)
  }
  const compared = new Set<string>()
  for (const received of await everything.received(expected.size)) {
    const attributes = ceHeaders(received)
    const { name, body, payload } = expected.get(attributes['id']!)!
    expect(received.body.toString()).toBe(body)
    expect(attributes['type']).toMatch(new RegExp(`^com\\.github\\.${name}(\\.|$)`))
    expect(attributes['source'], name).toBeTruthy()
    const said = adapterSays(name, payload)
    if (said !== undefined) {
      const { time, ...others } = said
      const { type, source, subject } = attributes
      const got = { type, source, ...(subject !== undefined && { subject: decodeURIComponent(subject) }) }
      // Where the payload lacks what the adapter names, there is the next best.
      expect(got).toEqual({ ...others, source: others.source ?? (expect.any(String) as string) })
      if (time !== undefined) expect(Date.parse(attributes['time']!)).toBe(Date.parse(time))
      compared.add(name)
    }
    const action = payload['action']
    if (typeof action === 'string' && !WITHOUT_ACTION.has(name) && name !== 'deployment_status')
      expect(attributes['type']).toContain(`.${action}`)
    else if (WITHOUT_ACTION.has(name)) expect(attributes['type']).toBe(`com.github.${name}`)
  }
  expect(compared.size).toBe(25)
  const named = (name: string): number => payloads.filter((each) => each.name === name).length
  expect(await pushes.received(named('push'))).toHaveLength(named('push'))
  expect(await issues.received(named('issues'))).toHaveLength(named('issues'))
})

const WITHOUT_ACTION = new Set([
  ...['push', 'fork', 'gollum', 'deployment', 'public', 'page_build', 'repository_import', 'security_and_analysis'],
  ...['workflow_dispatch', 'github_app_authorization'],
])

describe('threat 6: what is not signed as it has to be is answered 401, and nothing is stored', () => {
  const body = '{"ref":"refs/heads/main","repository":{"url":"https://api.github.com/repos/o/r"}}'

  test.each<[string, (good: string) => string | undefined]>([
    ['missing', () => undefined],
    ['empty', () => ''],
    ['made with another secret', () => 'sha256=' + 'ab'.repeat(32)],
    ['cut off', (good) => good.slice(0, -2)],
    ['cut off in the middle of a byte', (good) => good.slice(0, -1)],
    ['too long', (good) => `${good}00`],
    ['of another algorithm', (good) => good.replace('sha256=', 'sha1=')],
    ['without its algorithm', (good) => good.replace('sha256=', '')],
    ['no hex', (good) => good.replace(/[0-9a-f]{4}$/, 'zzzz')],
  ])('%s', async (_, change) => {
    const before = await acceptedEvents(sluice.api)
    const answer = await send('push', 'bad', body, change(await sign(SECRET, body)))
    expect(answer.status).toBe(401)
    expect(await answer.json()).toMatchObject({ code: expect.stringMatching(/^SLUICE_WEBHOOK_SIGNATURE_/) as string })
    expect(await acceptedEvents(sluice.api)).toBe(before)
  })

  test('a body that was changed on the way', async () => {
    const answer = await send('push', 'bad', body.replace('main', 'evil'), await sign(SECRET, body))
    expect(answer.status).toBe(401)
  })
})

test('a replay has the same answer and is stored once; its status says so, and why the last request was refused', async () => {
  const body = '{"ref":"refs/heads/again","repository":{"url":"https://api.github.com/repos/o/r"}}'
  const before = await acceptedEvents(sluice.api)
  const signature = await sign(SECRET, body)
  const answers = await Promise.all(Array.from({ length: 5 }, () => send('push', 'again', body, signature)))
  expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202, 202])
  expect(await acceptedEvents(sluice.api)).toBe(before + 1)
  await send('push', 'again', body)
  const { stdout } = await runSluice(['describe', 'webhooksource', 'github', '--server', sluice.api])
  expect(stdout).toMatch(/replays: [4-9]/)
  expect(stdout).toContain('type: com.github.push')
  expect(stdout).toContain('reason: SLUICE_WEBHOOK_SIGNATURE_MISSING')
})

test('sluice webhook test signs a fixture with the secret that it never sees', async () => {
  const fixture = join(sluice.folder, 'fixture.json')
  const body = '{"action":"opened","issue":{"number":7},"repository":{"url":"https://api.github.com/repos/o/r"}}'
  const words = ['webhook', 'test', 'github', '--event', 'issues', '--fixture', '-', '--server', sluice.api]
  const { code, stdout, stderr } = await runSluice(words, { input: body })
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toMatch(
    /^answered 202; stored at \S+\/default\/default: type com\.github\.issues\.opened, source \S+, id /,
  )
  expect(stdout).toContain('subject 7')
  const wrong = await runSluice(['webhook', 'test', 'github', '--fixture', fixture, '--server', sluice.api])
  expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining("can't read")])
})

test('threat 7: the secret stands in nothing that was said or kept', async () => {
  const paths = ['/metrics', '/apis/sources.sluice.dev/v1alpha1/namespaces/default/webhooksources/github']
  const texts = await Promise.all(paths.map(async (path) => (await fetch(sluice.api + path)).text()))
  const { stdout } = await runSluice(['describe', 'webhooksource', 'github', '--server', sluice.api])
  const said = [...texts, stdout, sluice.stdout.soFar(), sluice.stderr.soFar()].join('\n')
  expect(said).not.toContain(SECRET)
})

test('a replay is known after the process was killed as well', async () => {
  const sink = await subscriber()
  const yaml = { 'sluice.yaml': broker() + trigger('t', sink.url) + SOURCE }
  const first = await startSluice(yaml, [], { env: { GITHUB_SECRET: SECRET } })
  const data = /data=(\S+)/.exec(first.stdout.soFar())![1]!
  const body = '{"ref":"x","repository":{"url":"https://api.github.com/repos/o/r"}}'
  const signature = await sign(SECRET, body)
  const sendTo = (ingress: string): Promise<Response> => {
    const headers = { 'x-github-event': 'push', 'x-github-delivery': 'k-1', 'x-hub-signature-256': signature }
    return fetch(`${ingress}/webhooks/default/github`, { method: 'POST', headers, body })
  }
  expect((await sendTo(first.ingress)).status).toBe(202)
  await sink.received(1)
  await first.stop('SIGKILL')
  const second = await startSluice(first.folder, ['--data', data], { env: { GITHUB_SECRET: SECRET } })
  expect((await sendTo(second.ingress)).status).toBe(202)
  expect(await acceptedEvents(second.api)).toBe(0)
})
