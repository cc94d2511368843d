// The API over a store of its own, on a real listener.

import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { manualClock, type ManualClock } from '@sluice/clock'
import {
  admit,
  resourceKey,
  resourceStore,
  resourceWriter,
  type ResourceStore,
  type StoreOptions,
} from '@sluice/resource'
import { onTestFinished } from 'vitest'
import { resourceApi, type ApiLimits } from '@sluice/api'

export interface Scene {
  readonly clock: ManualClock
  readonly store: ResourceStore
  readonly url: string
  /** Stores these as if they came from `shop.yaml`. */
  files(...written: object[]): void
  ask(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
  /** Ends all watches. */
  close(): void
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body, of whatever shape a test expects. */
  // eslint-disable-next-line typescript/no-explicit-any
  readonly json: any
}

export async function scene(limits: Partial<ApiLimits> = {}, options: Partial<StoreOptions> = {}): Promise<Scene> {
  const clock = manualClock()
  const store = resourceStore({ clock, ...options })
  const writer = resourceWriter({ store, folder: async () => undefined })
  const api = resourceApi({
    resources: {
      store,
      writer,
      get: (identity) => store.get(resourceKey(identity)),
      refresh() {},
      shown: (each) => each,
    },
    clock,
    version: 'test',
    limits,
  })
  const server = createServer((request, response) => void api.handle(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    api.close()
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    clock,
    store,
    url,
    close: () => api.close(),
    files(...written) {
      const declared = written.map((each, n) => {
        const { resource, findings } = admit(structuredClone(each))
        if (resource === undefined) throw new Error(findings.map(({ message }) => message).join('\n'))
        return { resource, origin: { file: 'shop.yaml', line: n + 1, column: 1 } }
      })
      store.apply(declared, { source: 'files' })
    },
    async ask(method, path, body, headers = {}) {
      const isText = typeof body === 'string'
      const answer = await fetch(url + path, {
        method,
        headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
        ...(body !== undefined && { body: isText ? body : JSON.stringify(body) }),
      })
      const text = await answer.text()
      const isJson = answer.headers.get('content-type')?.startsWith('application/json') === true
      return { status: answer.status, headers: answer.headers, text, json: isJson ? JSON.parse(text) : undefined }
    },
  }
}

export const EVENTING = '/apis/eventing.knative.dev/v1'
export const TRIGGERS: string = `${EVENTING}/namespaces/default/triggers`
export const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps'

export function broker(name = 'default', spec: object = {}, metadata: object = {}): Record<string, unknown> {
  return { apiVersion: 'eventing.knative.dev/v1', kind: 'Broker', metadata: { name, ...metadata }, spec }
}

export function trigger(name: string, spec: object = {}, metadata: object = {}): Record<string, unknown> {
  return {
    apiVersion: 'eventing.knative.dev/v1',
    kind: 'Trigger',
    metadata: { name, ...metadata },
    spec: { broker: 'default', subscriber: { uri: 'http://127.0.0.1:9000/' }, ...spec },
  }
}

export function configMap(name: string, data: object = {}): Record<string, unknown> {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data }
}

/** The events of a watch, as they come. */
export interface Watching {
  /** The next one. */
  // eslint-disable-next-line typescript/no-explicit-any
  next(): Promise<any>
  /** Resolves with those that were left when the server ends it. */
  rest(): Promise<unknown[]>
}

export async function watch({ url }: Scene, path: string, headers: Record<string, string> = {}): Promise<Watching> {
  const abort = new AbortController()
  onTestFinished(() => abort.abort())
  const answer = await fetch(url + path, { headers, signal: abort.signal })
  if (!answer.ok) throw new Error(await answer.text())
  const lines = linesOf(answer.body!)
  return {
    async next() {
      const { value, done } = await lines.next()
      if (done === true) throw new Error('the watch has ended')
      return JSON.parse(value)
    },
    async rest() {
      const events: unknown[] = []
      for await (const line of lines) events.push(JSON.parse(line))
      return events
    },
  }
}

async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  let text = ''
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    const lines = (text + chunk).split('\n')
    text = lines.pop()!
    yield* lines
  }
}
