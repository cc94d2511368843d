// Brokers at Google Pub/Sub by YAML alone: the class googlecloud and a Channel of Google Cloud, on the emulator.

import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { PubSub } from '@google-cloud/pubsub'
import { pubsubProgramMissing, startPubsub } from '../servers/pubsub.ts'
import { atEnd } from '../support/cleanup.ts'
import { binary, trigger } from '../support/events.ts'
import { exchange } from '../support/exchange.ts'
import { conditionOf, readResource } from '../support/ops.ts'
import { folderOf, startSluice } from '../support/sluice.ts'
import { ceHeaders, idsOf, subscriber } from '../support/subscriber.ts'

// Else the client looks for the machine that it runs on.
process.env['METADATA_SERVER_DETECTION'] = 'none'

const OF_CLASS = `---
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: default, annotations: {eventing.knative.dev/broker.class: googlecloud}}
`
const BY_TEMPLATE = `---
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: default}
spec: {config: {apiVersion: v1, kind: ConfigMap, name: at-google}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: at-google}
data:
  channel-template-spec: |
    apiVersion: messaging.cloud.google.com/v1beta1
    kind: Channel
`

function event(id: string): ReturnType<typeof binary> {
  return binary([
    ['ce-id', id],
    ['ce-type', 'com.example.test'],
  ])
}

describe.skipIf(pubsubProgramMissing !== undefined)(`a Broker at Google Pub/Sub ${pubsubProgramMissing ?? ''}`, () => {
  test.each([
    ['class googlecloud', OF_CLASS, /^cre-bkr_default_default_[0-9a-f-]{36}$/, /^cre-tgr_default_.*_[0-9a-f-]{36}$/],
    [
      'a Channel of Google Cloud',
      BY_TEMPLATE,
      /^cre-ch_default_default-kne-trigger_[0-9a-f-]{36}$/,
      /^cre-sub_default_.*_[0-9a-f-]{36}$/,
    ],
  ])(
    '%s: events go by its topic, and what was not delivered comes after Sluice was killed',
    async (_, yaml, topic, subscription) => {
      const server = await startPubsub()
      atEnd(() => server.stop())
      const taker = await subscriber()
      const files = { 'a.yaml': yaml + trigger('taker', taker.url) }
      const words = ['--data', join(folderOf({}), 'data'), '--grace', '1']
      const env = { PUBSUB_EMULATOR_HOST: server.address }
      const sluice = await startSluice(files, words, { env })
      expect((await exchange(sluice.broker, event('1'))).status).toBe(202)
      await taker.received(1)
      expect(ceHeaders(taker.all[0]!)).toMatchObject({ id: '1', type: 'com.example.test' })

      const other = new PubSub({ projectId: 'sluice', apiEndpoint: server.address, emulatorMode: true })
      atEnd(() => other.close())
      const [topics] = await other.getTopics()
      expect(topics.map(({ name }) => name.split('/').at(-1))).toEqual([expect.stringMatching(topic)])
      const [subscriptions] = await topics[0]!.getSubscriptions()
      expect(subscriptions.map(({ name }) => name.split('/').at(-1))).toEqual([expect.stringMatching(subscription)])

      await sluice.stop('SIGKILL')
      const attributes = {
        'ce-specversion': '1.0',
        'ce-id': '2',
        'ce-source': '/elsewhere',
        'ce-type': 'com.example.test',
      }
      await topics[0]!.publishMessage({ data: Buffer.from('x'), attributes })
      await startSluice(files, words, { env })
      // What the server had not heard to be settled comes again beside it.
      while (!idsOf(taker).has('2')) await taker.received(taker.all.length + 1)
    },
    90_000,
  )

  test('without a project it is not ready, and says what to do', async () => {
    const sluice = await startSluice({ 'a.yaml': OF_CLASS }, [], {
      env: { PUBSUB_EMULATOR_HOST: '', GOOGLE_CLOUD_PROJECT: '' },
    })
    const broker = await readResource(sluice.api, 'brokers', 'default')
    expect(conditionOf(broker, 'Ready')).toBe('False ChannelFailure')
    expect(JSON.stringify(broker.status)).toContain('Add Secret default/google-cloud-key with key.json')
    expect((await exchange(sluice.broker, event('1'))).status).toBe(503)
  })
})
