// What kubectl create sends as protobuf; and that nothing else gets in that way, nor brings anything down.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Refusal } from '../src/errors.ts'
import { objectIn } from '../src/protobuf.ts'

/** What kubectl 1.32 sends for `create configmap c --from-literal=a=b`, beginning with its envelope. */
function field(number: number, content: Buffer | string): Buffer {
  const bytes = Buffer.from(content)
  return Buffer.concat([Buffer.from([number * 8 + 2, bytes.length]), bytes])
}

function envelope(apiVersion: string, kind: string, raw: Buffer): Buffer {
  const type = Buffer.concat([field(1, apiVersion), field(2, kind)])
  return Buffer.concat([Buffer.from('k8s\0'), field(1, type), field(2, raw), field(3, ''), field(4, '')])
}

test('an object is read, without what is empty', () => {
  const metadata = Buffer.concat([field(1, 'c'), field(2, ''), field(3, 'default'), field(8, '')])
  const data = Buffer.concat([field(1, 'a'), field(2, 'b')])
  const body = envelope('v1', 'ConfigMap', Buffer.concat([field(1, metadata), field(2, data)]))
  expect(objectIn(body)).toEqual({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'c', namespace: 'default' },
    data: { a: 'b' },
  })
})

test('a kind that is not read so is refused, with what to do instead', () => {
  expect(() => objectIn(envelope('apps/v1', 'Deployment', Buffer.alloc(0)))).toThrow(
    /--dry-run=client -o yaml \| kubectl apply/,
  )
  expect(() => objectIn(envelope('v1', 'constructor', Buffer.alloc(0)))).toThrow(/is not read as protobuf/)
})

test('whatever bytes come, they are read or refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom('ConfigMap', 'Service', 'Secret'), (bytes, kind) => {
      for (const body of [
        Buffer.from(bytes),
        Buffer.concat([Buffer.from('k8s\0'), bytes]),
        envelope('v1', kind, Buffer.from(bytes.subarray(0, 100))),
      ]) {
        try {
          objectIn(body)
        } catch (error) {
          expect(error).toBeInstanceOf(Refusal)
        }
      }
    }),
    { numRuns: 2000 },
  )
})
