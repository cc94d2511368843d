// A watch: everything that happens after a resourceVersion, once, in order, until somebody ends it.

import { describe, expect, test } from 'vitest'
import { configMap, CONFIG_MAPS, scene, trigger, TRIGGERS, watch, type Scene } from './scene.ts'

const MERGE = { 'content-type': 'application/merge-patch+json' }

interface Told {
  readonly type: string
  readonly object: { metadata: { name: string; resourceVersion: string; labels?: Record<string, string> } }
}

function shortly({ type, object }: Told): string {
  return `${type} ${object.metadata.name}`
}

async function label({ ask }: Scene, name: string, app: string | null): Promise<void> {
  await ask('PATCH', `${TRIGGERS}/${name}`, { metadata: { labels: { app } } }, MERGE)
}

describe('a watch', () => {
  test('without a resourceVersion begins with what is there, and goes on with what comes', async () => {
    const here = await scene()
    here.files(trigger('b'), trigger('a'))
    const watching = await watch(here, `${TRIGGERS}?watch=true`)
    await here.ask('POST', TRIGGERS, trigger('c'))
    await label(here, 'c', 'x')
    await here.ask('POST', CONFIG_MAPS, configMap('another-kind'))
    await here.ask('DELETE', `${TRIGGERS}/c`)
    const told: Told[] = []
    for (let n = 0; n < 5; n++) told.push(await watching.next())
    expect(told.map(shortly)).toEqual(['ADDED a', 'ADDED b', 'ADDED c', 'MODIFIED c', 'DELETED c'])
    expect(told.at(-1)!.object.metadata.resourceVersion).toBe(here.store.resourceVersion())
  })

  test('from a resourceVersion tells what came after it, and nothing twice, also within one commit', async () => {
    const here = await scene()
    here.files(trigger('a'), trigger('b'), trigger('c'))
    const [, b] = here.store.list()
    const watching = await watch(here, `${TRIGGERS}?watch=1&resourceVersion=${b!.metadata.resourceVersion}`)
    expect(shortly(await watching.next())).toBe('ADDED c') // one commit, three changes
  })

  test('that is cut off and comes again misses nothing', async () => {
    const here = await scene()
    const first = await watch(here, `${TRIGGERS}?watch=true`)
    await here.ask('POST', TRIGGERS, trigger('a'))
    const { object }: Told = await first.next()
    here.close()
    expect(await first.rest()).toEqual([])
    await here.ask('POST', TRIGGERS, trigger('b'))
    await here.ask('DELETE', `${TRIGGERS}/a`)
    const second = await watch(here, `${TRIGGERS}?watch=true&resourceVersion=${object.metadata.resourceVersion}`)
    expect([shortly(await second.next()), shortly(await second.next())]).toEqual(['ADDED b', 'DELETED a'])
  })

  test('with a selector tells what comes into it as added, and what leaves it as deleted', async () => {
    const here = await scene()
    const watching = await watch(here, `${TRIGGERS}?watch=true&labelSelector=app%3Da`)
    await here.ask('POST', TRIGGERS, trigger('t'))
    for (const app of ['a', 'b', 'a']) await label(here, 't', app)
    await here.ask('DELETE', `${TRIGGERS}/t`)
    const told: string[] = []
    for (let n = 0; n < 4; n++) told.push(shortly(await watching.next()))
    expect(told).toEqual(['ADDED t', 'DELETED t', 'ADDED t', 'DELETED t'])
  })

  test('of one resource by its path is of that alone', async () => {
    const here = await scene()
    here.files(trigger('a'), trigger('b'))
    const watching = await watch(here, `${TRIGGERS}/b?watch=true`)
    expect(shortly(await watching.next())).toBe('ADDED b')
  })

  test.each([
    ['that is forgotten', '1'],
    ['of another process', '99999999'],
  ])('from a resourceVersion %s is refused with 410, so that its client lists anew', async (_what, version) => {
    const here = await scene({}, { historyMax: 2 })
    for (const name of ['a', 'b', 'c', 'd']) await here.ask('POST', CONFIG_MAPS, configMap(name))
    const { json } = await here.ask('GET', `${CONFIG_MAPS}?watch=true&resourceVersion=${version}`)
    expect(json).toMatchObject({ code: 410, reason: 'Expired', message: `too old resource version: ${version} (4)` })
  })

  test('as a table has a row for each event, and its columns once', async () => {
    const here = await scene()
    here.files(trigger('a'), trigger('b'))
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io'
    const watching = await watch(here, `${TRIGGERS}?watch=true`, { accept })
    const [first, second] = [await watching.next(), await watching.next()]
    expect(first.object).toMatchObject({ kind: 'Table', rows: [{ cells: ['a', 'default', '', '0s', '', ''] }] })
    expect([first.object.columnDefinitions.length, second.object.columnDefinitions]).toEqual([6, undefined])
  })

  test('ends when its time is over, and says how far it is in between where that is wanted', async () => {
    const here = await scene()
    const watching = await watch(here, `${TRIGGERS}?watch=true&allowWatchBookmarks=true&timeoutSeconds=90`)
    await here.ask('POST', CONFIG_MAPS, configMap('another-kind'))
    here.clock.advance(60_000)
    expect(await watching.next()).toMatchObject({
      type: 'BOOKMARK',
      object: {
        kind: 'Trigger',
        apiVersion: 'eventing.knative.dev/v1',
        metadata: { resourceVersion: here.store.resourceVersion() },
      },
    })
    here.clock.advance(30_000)
    expect(await watching.rest()).toEqual([])
    expect(here.clock.pending).toBe(0)
  })

  test('with sendInitialEvents begins with all, and a bookmark says that this was all', async () => {
    const here = await scene()
    here.files(trigger('a'))
    const query = 'watch=true&sendInitialEvents=true&allowWatchBookmarks=true'
    expect((await here.ask('GET', `${TRIGGERS}?${query}`)).json.message).toMatch(
      /needs resourceVersionMatch=NotOlderThan/,
    )
    const watching = await watch(here, `${TRIGGERS}?${query}&resourceVersionMatch=NotOlderThan`)
    expect(shortly(await watching.next())).toBe('ADDED a')
    expect(await watching.next()).toMatchObject({
      type: 'BOOKMARK',
      object: { metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } },
    })
  })

  test('beyond so many at once is refused; one whose client has left counts no more', async () => {
    const here = await scene({ watchesMax: 1 })
    const abort = new AbortController()
    await fetch(`${here.url}${TRIGGERS}?watch=true`, { signal: abort.signal })
    expect((await here.ask('GET', `${TRIGGERS}?watch=true`)).status).toBe(429)
    abort.abort()
    for (let status = 429; status === 429;) {
      const answer = await fetch(`${here.url}${TRIGGERS}?watch=true&timeoutSeconds=1`)
      status = answer.status
      await answer.body?.cancel()
    }
  })

  test('whose client does not read is ended, and nothing piles up', async () => {
    const here = await scene({ watchBytesMax: 100_000 })
    const answer = await fetch(`${here.url}${CONFIG_MAPS}?watch=true`)
    const text = 'x'.repeat(500_000)
    for (let n = 0; n < 40; n++) here.files(configMap('c', { text: text + n }))
    await expect(answer.text()).rejects.toThrow(/terminated/)
  })
})
