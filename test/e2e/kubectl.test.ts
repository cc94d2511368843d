// kubectl, unmodified, as in Knative's tutorials: --server is all it is told.

import { chmodSync, existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { binary, broker, trigger } from '../support/events.ts'
import { exchange } from '../support/exchange.ts'
import { HAS_KUBECTL, kubectl, startKubectl, type Kubectl, type KubectlOptions } from '../support/kubectl.ts'
import { folderOf, startSluice, type Ran, type Sluice } from '../support/sluice.ts'
import { subscriber } from '../support/subscriber.ts'

const NOWHERE = 'http://127.0.0.1:9/'
const ORDERS = (type: string, more = ''): string => `apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: orders, labels: {app: shop}}
spec:
  broker: default
  filter: {attributes: {type: ${type}}}
  subscriber: {uri: "${NOWHERE}"}
${more}`

const HELLO = `apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: hello-display}
spec:
  broker: default
  filter: {attributes: {type: greeting}}
  subscriber: {ref: {apiVersion: v1, kind: Service, name: hello-display}}
`

describe.skipIf(!HAS_KUBECTL)('kubectl (skipped: it is not on the PATH)', () => {
  let sluice: Sluice
  let run: Kubectl

  beforeAll(async () => {
    sluice = await startSluice({ 'shop.yaml': broker() + trigger('from-file', NOWHERE) })
    run = kubectl(sluice.api)
  })

  /** What it prints, where all goes well. */
  async function ok(words: readonly string[], options?: KubectlOptions): Promise<string> {
    const { code, stdout, stderr } = await run(words, options)
    expect(stderr).toBe('')
    expect(code).toBe(0)
    return stdout
  }

  function apply(yaml: string, ...words: string[]): Promise<Ran> {
    return run(['apply', '-f', '-', ...words], { input: yaml })
  }

  test('get prints Knative’s tables, of one kind, several, and all', async () => {
    expect(await ok(['get', 'brokers'])).toMatch(
      new RegExp(`^NAME +URL +AGE +READY +REASON *\\ndefault +${sluice.broker} +\\d+s +True *\\n$`),
    )
    expect(await ok(['get', 'triggers'])).toMatch(
      /^NAME +BROKER +SUBSCRIBER_URI +AGE +READY +REASON *\nfrom-file +default +http:\/\/127\.0\.0\.1:9\/ +\d+s +True/,
    )
    expect(await ok(['get', 'broker', '-o', 'wide'])).toContain('MTChannelBasedBroker')
    const all = await ok(['get', 'all', '-A'])
    expect(all).toMatch(/^default +broker\.eventing\.knative\.dev\/default/m)
    expect(all).toMatch(/^default +trigger\.eventing\.knative\.dev\/from-file/m)
    expect(await ok(['get', 'namespaces'])).toMatch(/^default +Active/m)
    expect((await run(['get', 'triggers', '-n', 'nix'])).stderr).toBe('No resources found in nix namespace.\n')
    expect((await run(['get', 'events'])).stderr).toBe('No resources found in default namespace.\n')
  })

  test('get in other forms, and by selectors', async () => {
    expect(await ok(['get', 'trigger', 'from-file', '-o', 'yaml'])).toMatch(
      /^apiVersion: eventing\.knative\.dev\/v1\nkind: Trigger\n/,
    )
    expect(await ok(['get', 'trigger', 'from-file', '-o', 'jsonpath={.status.subscriberUri}'])).toBe(NOWHERE)
    expect(await ok(['get', 'triggers', '-o', 'name'])).toContain('trigger.eventing.knative.dev/from-file\n')
    expect(await ok(['get', 'triggers', '--field-selector', 'metadata.name=from-file', '-o', 'name'])).toBe(
      'trigger.eventing.knative.dev/from-file\n',
    )
    expect(await ok(['get', 'triggers', '-l', 'eventing.knative.dev/broker=default', '-o', 'name'])).toContain(
      'from-file',
    )
    expect(await ok(['get', 'triggers.v1beta1.eventing.knative.dev', 'from-file', '-o', 'yaml'])).toContain(
      'apiVersion: eventing.knative.dev/v1beta1',
    )
  })

  test('apply creates, changes, and leaves alone; wait waits; diff tells; delete deletes', async () => {
    expect((await apply(ORDERS('a'))).stdout).toBe('trigger.eventing.knative.dev/orders created\n')
    expect(await ok(['wait', '--for=condition=Ready', 'trigger/orders', '--timeout=20s'])).toContain('condition met')
    expect((await apply(ORDERS('a'))).stdout).toBe('trigger.eventing.knative.dev/orders unchanged\n')
    const diff = await run(['diff', '-f', '-'], { input: ORDERS('b') })
    expect([diff.code, diff.stdout]).toEqual([1, expect.stringMatching(/^- {6}type: a\n\+ {6}type: b$/m) as string])
    expect((await apply(ORDERS('b'))).stdout).toBe('trigger.eventing.knative.dev/orders configured\n')
    expect(await ok(['get', 'trigger', 'orders', '-o', 'jsonpath={.spec.filter.attributes.type}'])).toBe('b')
    expect(await ok(['delete', 'trigger', 'orders'])).toBe('trigger.eventing.knative.dev "orders" deleted\n')
    const gone = await run(['get', 'trigger', 'orders'])
    expect(gone.stderr).toBe('Error from server (NotFound): triggers.eventing.knative.dev "orders" not found\n')
  })

  test('apply --server-side, its conflicts, and the way from one to the other', async () => {
    await apply(ORDERS('a'))
    const changed = await apply(ORDERS('b'), '--server-side')
    expect(changed.stderr).toMatch(/1 conflict: conflict with "kubectl-client-side-apply" using Update/)
    expect((await apply(ORDERS('a'), '--server-side')).code).toBe(0) // and kubectl makes these fields its own
    expect((await apply(ORDERS('b'), '--server-side')).stdout).toBe(
      'trigger.eventing.knative.dev/orders serverside-applied\n',
    )
    const refused = await apply(ORDERS('c'), '--server-side', '--field-manager=other')
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/Apply failed with 1 conflict: conflict with "kubectl": \.spec\.filter\.attributes\.type/) as string]) // prettier-ignore
    expect((await apply(ORDERS('c'), '--server-side', '--field-manager=other', '--force-conflicts')).code).toBe(0)
    expect(await ok(['get', 'trigger', 'orders', '-o', 'jsonpath={.spec.filter.attributes.type}'])).toBe('c')
    await ok(['delete', 'trigger', 'orders'])
  })

  test('patch, label, annotate and edit', async () => {
    await apply(ORDERS('a'))
    const json = '[{"op": "replace", "path": "/spec/filter/attributes/type", "value": "b"}]'
    expect(await ok(['patch', 'trigger', 'orders', '--type=json', '-p', json])).toContain('patched')
    expect(
      await ok(['patch', 'trigger', 'orders', '--type=merge', '-p', '{"spec":{"delivery":{"retry":3}}}']),
    ).toContain('patched')
    const strategic = await run(['patch', 'trigger', 'orders', '-p', '{}'])
    expect(strategic.stderr).toContain(
      'application/strategic-merge-patch+json is not supported by eventing.knative.dev/v1, Kind=Trigger',
    )
    await ok(['label', 'trigger', 'orders', 'team=a'])
    await ok(['annotate', 'trigger', 'orders', 'note=b'])
    const editor = join(folderOf({ 'edit.sh': '#!/bin/sh\nsed -i "s/retry: 3/retry: 4/" "$1"\n' }), 'edit.sh')
    chmodSync(editor, 0o755)
    expect(await ok(['edit', 'trigger', 'orders'], { env: { EDITOR: editor } })).toContain('edited')
    const shown =
      '{.spec.filter.attributes.type} {.spec.delivery.retry} {.metadata.labels.team} {.metadata.annotations.note}'
    expect(await ok(['get', 'trigger', 'orders', '-o', `jsonpath=${shown}`])).toBe('b 4 a b')
    await ok(['delete', 'triggers', '-l', 'app=shop'])
  })

  test('get -w shows what happens, as it happens', async () => {
    const { stdout } = startKubectl(sluice.api, ['get', 'triggers', '-w'])
    await stdout.until(/^from-file/m)
    await apply(ORDERS('a'))
    await stdout.until(/^orders +default +http:\/\/127\.0\.0\.1:9\/ +\d+s +True/m)
    await ok(['delete', 'trigger', 'orders'])
  })

  test('describe, explain and api-resources', async () => {
    const described = await ok(['describe', 'broker', 'default'])
    expect(described).toMatch(/^Name: +default$/m)
    expect(described).toMatch(/^ +Type: +IngressReady$/m)
    expect(described).toMatch(/^Events: +<none>$/m)
    expect(await ok(['explain', 'trigger.spec.delivery.backoffDelay'])).toMatch(
      /The wait before the second try\. Default PT0\.2S\./,
    )
    expect(await ok(['explain', 'trigger', '--recursive'])).toMatch(/^ {6}deadLetterSink\t<Object>$/m)
    const kinds = await ok(['api-resources', '--api-group=eventing.knative.dev'])
    expect(kinds).toMatch(/^brokers +eventing\.knative\.dev\/v1 +true +Broker *$/m)
    expect(await ok(['api-resources', '--categories=knative', '-o', 'name'])).toContain(
      'pingsources.sources.knative.dev\n',
    )
  })

  test('Kubernetes’ own kinds: create with words, strategic merge, replace', async () => {
    await ok(['create', 'configmap', 'settings', '--from-literal=a=b'])
    await ok(['create', 'secret', 'generic', 'keys', '--from-literal=k=canary'])
    await ok(['create', 'namespace', 'shop'])
    await ok(['create', 'service', 'externalname', 'outside', '--external-name=example.com', '--tcp=8080'])
    expect(await ok(['get', 'service', 'outside', '-o', 'jsonpath={.spec.externalName} {.spec.ports[0].port}'])).toBe(
      'example.com 8080',
    )
    expect(await ok(['get', 'secret', 'keys', '-o', 'yaml'])).not.toMatch(/canary|Y2FuYXJ5/)
    const pod = await run(['create', 'job', 'j', '--image=x'])
    expect(pod.stderr).toMatch(/a Job of batch\/v1 is not read as protobuf.*--dry-run=client -o yaml/)
    expect(await ok(['patch', 'configmap', 'settings', '-p', '{"data":{"c":"d"}}'])).toContain('patched')
    expect(await ok(['get', 'cm', 'settings', '-o', 'jsonpath={.data}'])).toBe('{"a":"b","c":"d"}')
    const replaced = await run(['replace', '-f', '-'], {
      input: 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {x: z}\n',
    })
    expect(replaced.stdout).toBe('configmap/settings replaced\n')
    expect(await ok(['get', 'cm', 'settings', '-o', 'jsonpath={.data}'])).toBe('{"x":"z"}')
  })

  test('mistakes are told as by Knative, with the nearest word; a file is named with its line', async () => {
    const typo = await apply(ORDERS('a').replace('subscriber:', 'subscribr:'))
    expect(typo.stderr).toMatch(
      /Trigger in version "v1" cannot be handled as a Trigger: strict decoding error: unknown field "spec\.subscribr"\. Did you mean subscriber\?/,
    )
    const none = await apply(ORDERS('a').replace(/ {2}subscriber.*\n/, ''))
    expect(none.stderr).toMatch(
      /admission webhook "validation\.webhook\.eventing\.knative\.dev" denied the request: validation failed: missing field\(s\): spec\.subscriber/,
    )
    const warned = await apply(ORDERS('a', '  delivery: {backoffDelay: PT1S}\n'))
    expect(warned.stderr).toMatch(/^Warning: spec\.delivery has no retry/)
    const moved = await apply(ORDERS('a').replace('broker: default', 'broker: other'))
    expect(moved.stderr).toMatch(/Immutable fields changed \(-old \+new\): spec\.broker/)
    await ok(['delete', 'trigger', 'orders'])
    for (const words of [
      ['delete', 'trigger', 'from-file'],
      ['label', 'trigger', 'from-file', 'a=b'],
    ]) {
      const { code, stderr } = await run(words)
      expect([code, stderr]).toEqual([1, expect.stringMatching(/triggers\.eventing\.knative\.dev "from-file" is declared in \S*shop\.yaml:\d+:1, and can be changed there alone/) as string]) // prettier-ignore
    }
  })
})

describe.skipIf(!HAS_KUBECTL)('what kubectl has applied (skipped: it is not on the PATH)', () => {
  test('runs, and is there after a restart: the tutorial of broker and trigger', async () => {
    const taker = await subscriber()
    const data = folderOf({})
    const flags = ['--data', join(data, 'data')]
    const first = await startSluice({}, flags)
    const files = folderOf({ 'a.yaml': broker('default') + trigger('t', taker.url) })
    const run = kubectl(first.api)
    expect((await run(['apply', '-f', files])).stdout).toBe(
      'broker.eventing.knative.dev/default created\ntrigger.eventing.knative.dev/t created\n',
    )
    await run(['wait', '--for=condition=Ready', 'broker/default', 'trigger/t', '--timeout=20s'])
    expect((await exchange(first.broker, binary([['ce-id', '1']]))).status).toBe(202)
    await taker.received(1)
    const uid = (await run(['get', 'trigger', 't', '-o', 'jsonpath={.metadata.uid}'])).stdout
    await first.stop('SIGKILL')

    const second = await startSluice({}, flags)
    const again = kubectl(second.api)
    expect((await again(['get', 'trigger', 't', '-o', 'jsonpath={.metadata.uid}'])).stdout).toBe(uid)
    expect((await exchange(second.broker, binary([['ce-id', '2']]))).status).toBe(202)
    await taker.received(2)
    expect((await again(['delete', '-f', files])).code).toBe(0)
    expect(readdirSync(join(data, 'data', 'resources'))).toEqual([])
  })

  test('Knative’s getting-started, step by step: what runs, and where it says what to do instead', async () => {
    const sluice = await startSluice({})
    const run = kubectl(sluice.api)
    const inside = (yaml: string): Promise<Ran> => run(['-n', 'event-example', 'apply', '-f', '-'], { input: yaml })
    expect((await run(['create', 'namespace', 'event-example'])).stdout).toBe('namespace/event-example created\n')
    expect((await inside(broker())).stdout).toBe('broker.eventing.knative.dev/default created\n')
    const workload = await inside(`apiVersion: apps/v1
kind: Deployment
metadata: {name: hello-display}
spec: {template: {spec: {containers: [{name: event-display, image: event_display}]}}}
---
apiVersion: v1
kind: Service
metadata: {name: hello-display}
spec: {selector: {app: hello-display}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: curl}
spec: {containers: [{name: curl, image: curl}]}
`)
    expect(workload.code).toBe(0)
    expect(workload.stderr).toMatch(
      /Deployment of apps\/v1 is kept and shown.*Run its container yourself.*ExternalName/,
    )
    expect((await inside(HELLO)).stdout).toBe('trigger.eventing.knative.dev/hello-display created\n')
    expect((await run(['-n', 'event-example', 'get', 'triggers'])).stdout).toMatch(
      /hello-display +default +http:\/\/hello-display\.event-example\.svc\.cluster\.local +\S+ +True/,
    )
    expect((await run(['-n', 'event-example', 'logs', 'curl'])).stderr).toMatch(/Sluice starts no containers/)
    const event = binary([['ce-type', 'greeting']], '{"msg": "Hello Knative!"}')
    expect((await exchange(`${sluice.ingress}/event-example/default`, event)).status).toBe(202)
    const failure = ['-n', 'event-example', 'get', 'trigger', 'hello-display', '-o', 'jsonpath={.status.subscriber.lastFailure}'] // prettier-ignore
    let why = ''
    while (why === '') why = (await run(failure)).stdout
    expect(why).toMatch(/inside of a Kubernetes cluster alone.*type: ExternalName/)

    const taker = await subscriber()
    const elsewhere = `{type: ExternalName, externalName: 127.0.0.1, ports: [{port: ${taker.port}}]}`
    await inside(`apiVersion: v1\nkind: Service\nmetadata: {name: hello-display}\nspec: ${elsewhere}\n`)
    await taker.received(1) // the event that waited
    expect((await run(['delete', 'namespace', 'event-example'])).code).toBe(0)
    expect((await run(['-n', 'event-example', 'get', 'brokers,triggers,deployments'])).stdout).toBe('')
  })

  test('a kind that nobody knows is no broken schema: kubectl says that there is none', async () => {
    const run = kubectl((await startSluice({})).api)
    const { code, stderr } = await run(['apply', '-f', '-'], {
      input: 'apiVersion: example.com/v2\nkind: Machine\nmetadata: {name: m}\n',
    })
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/no matches for kind "Machine" in version "example\.com\/v2"/),
    ])
  })

  const samples = join(import.meta.dirname, '../../../shared/data/knative')
  test.skipIf(!existsSync(samples))(
    'takes every sample of Knative’s documentation as it stands (skipped: there is no ../shared/data/knative)',
    async () => {
      const sluice = await startSluice({})
      const run = kubectl(sluice.api)
      for (const sample of readdirSync(samples)) {
        const { code, stderr } = await run(['apply', '-f', join(samples, sample)])
        expect([
          sample,
          code,
          stderr.split('\n').filter((line) => line !== '' && !line.startsWith('Warning: ')),
        ]).toEqual([sample, 0, []])
      }
    },
  )
})
