// PingSource through the running program: events on time, under ids that don't change, and none lost to a kill.

import { expect, test } from 'vitest'
import { broker, trigger } from '../support/events.ts'
import { startSluice } from '../support/sluice.ts'
import { ceHeaders, subscriber, type Received } from '../support/subscriber.ts'

const PING = `---
apiVersion: sources.knative.dev/v1beta2
kind: PingSource
metadata:
  name: tick
  annotations: { sluice.dev/catch-up: all }
spec:
  schedule: '* * * * * *'
  contentType: application/json
  data: '{"tick": true}'
  ceOverrides: { extensions: { region: eu } }
  sink: { ref: { apiVersion: eventing.knative.dev/v1, kind: Broker, name: default } }
`

const second = (received: Received): number => Date.parse(ceHeaders(received)['time']!) / 1000

test('every second has its event, the seconds between a kill and the next start included', async () => {
  const sink = await subscriber()
  const files = { 'sluice.yaml': broker() + trigger('t', sink.url) + PING }
  const first = await startSluice(files)
  const data = /data=(\S+)/.exec(first.stdout.soFar())![1]!
  const [one] = await sink.received(2)
  expect(ceHeaders(one!)).toMatchObject({
    type: 'dev.knative.sources.ping',
    source: '/apis/v1/namespaces/default/pingsources/tick',
    region: 'eu',
  })
  expect(one!.body.toString()).toBe('{"tick": true}')
  await first.stop('SIGKILL')
  const known = sink.all.length

  const again = await startSluice(first.folder, ['--data', data])
  await sink.received(known + 4)
  await again.stop()
  const seconds = sink.all.map(second).toSorted((a, b) => a - b)
  const unique = [...new Set(seconds)]
  expect(unique).toEqual(Array.from({ length: unique.length }, (_, i) => unique[0]! + i))
  const ids = new Map(sink.all.map((each) => [second(each), ceHeaders(each)['id']]))
  for (const each of sink.all) expect(ceHeaders(each)['id']).toBe(ids.get(second(each)))
})
