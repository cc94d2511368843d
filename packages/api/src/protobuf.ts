// Kubernetes' protobuf, as far as kubectl insists on it: `kubectl create configmap|secret|namespace|service` send these kinds
// so, and nothing else. The numbers are those of k8s.io/api; what isn't named here is left out.

import { Refusal } from './errors.ts'

/** A body's type. */
export const PROTOBUF_TYPE = 'application/vnd.kubernetes.protobuf'

/** What stands at a field: text, bytes (base64), a number, truth, another message, or a mapping. */
type Field =
  | 'text'
  | 'bytes'
  | 'number'
  | 'boolean'
  | 'port'
  | { readonly [number: number]: readonly [name: string, field: Field, repeated?: true] }
  | { readonly mapOf: 'text' | 'bytes' }

type Message = Exclude<Field, string | { readonly mapOf: unknown }>

const TEXTS = { mapOf: 'text' } as const
const METADATA: Message = {
  1: ['name', 'text'],
  2: ['generateName', 'text'],
  3: ['namespace', 'text'],
  11: ['labels', TEXTS],
  12: ['annotations', TEXTS],
}
const PORT: Message = {
  1: ['name', 'text'],
  2: ['protocol', 'text'],
  3: ['port', 'number'],
  4: ['targetPort', 'port'],
  5: ['nodePort', 'number'],
  6: ['appProtocol', 'text'],
}
const SERVICE: Message = {
  1: ['ports', PORT, true],
  2: ['selector', TEXTS],
  3: ['clusterIP', 'text'],
  4: ['type', 'text'],
  5: ['externalIPs', 'text', true],
  7: ['sessionAffinity', 'text'],
  8: ['loadBalancerIP', 'text'],
  10: ['externalName', 'text'],
}
const KINDS: Readonly<Record<string, Message>> = {
  ConfigMap: {
    1: ['metadata', METADATA],
    2: ['data', TEXTS],
    3: ['binaryData', { mapOf: 'bytes' }],
    4: ['immutable', 'boolean'],
  },
  Secret: {
    1: ['metadata', METADATA],
    2: ['data', { mapOf: 'bytes' }],
    3: ['type', 'text'],
    4: ['stringData', TEXTS],
    5: ['immutable', 'boolean'],
  },
  Namespace: { 1: ['metadata', METADATA] },
  Service: { 1: ['metadata', METADATA], 2: ['spec', SERVICE] },
}
/** Around each of them: `k8s\0`, then what it is, and its bytes. */
const MAGIC = Buffer.from('k8s\0')
const ENVELOPE: Message = { 1: ['type', { 1: ['apiVersion', 'text'], 2: ['kind', 'text'] }], 2: ['raw', 'bytes'] }

/**
 * The object in a body, as JSON has it.
 *
 * @throws Refusal 400 where it is none; 415 where it is of a kind that is not read so
 */
export function objectIn(body: Buffer): object {
  if (!body.subarray(0, MAGIC.length).equals(MAGIC)) throw broken()
  const { type, raw = '' } = read(body.subarray(MAGIC.length), ENVELOPE) as {
    type?: Record<string, string>
    raw?: string
  }
  const { apiVersion = '', kind = '' } = type ?? {}
  const message = apiVersion === 'v1' && Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined
  if (message === undefined) {
    const instead = 'Write it as YAML: kubectl create ... --dry-run=client -o yaml | kubectl apply -f -'
    const known = Object.keys(KINDS).join(', ')
    throw new Refusal(
      415,
      'UnsupportedMediaType',
      `a ${kind} of ${apiVersion} is not read as protobuf, only ${known}. ${instead}`,
    )
  }
  return { apiVersion, kind, ...read(Buffer.from(raw, 'base64'), message) }
}

function broken(): Refusal {
  return new Refusal(400, 'BadRequest', "the body can't be read: It is no protobuf of Kubernetes.")
}

/** The fields of a message. What is empty counts as absent, for Go writes it all the same. */
function read(bytes: Buffer, message: Message): Record<string, unknown> {
  const values = new Map<string, unknown>()
  let at = 0
  while (at < bytes.length) {
    const [tag, afterTag] = varint(bytes, at)
    const [number, wire] = [Math.floor(tag / 8), tag % 8]
    const [value, next] = valueAt(bytes, afterTag, wire)
    at = next
    const known = message[number]
    if (known === undefined) continue
    const [name, field, repeated] = known
    const decoded = decode(value, field)
    if (typeof field === 'object' && 'mapOf' in field)
      values.set(name, { ...(values.get(name) as object), ...(decoded as object) })
    else if (repeated) values.set(name, [...((values.get(name) as unknown[] | undefined) ?? []), decoded])
    else if (decoded !== '' && decoded !== 0 && decoded !== false && decoded !== undefined) values.set(name, decoded)
  }
  return Object.fromEntries(values)
}

function valueAt(bytes: Buffer, at: number, wire: number): [value: number | Buffer, next: number] {
  if (wire === 0) return varint(bytes, at)
  if (wire === 1 || wire === 5) return [0, at + (wire === 1 ? 8 : 4)]
  if (wire !== 2) throw broken()
  const [length, start] = varint(bytes, at)
  if (start + length > bytes.length) throw broken()
  return [bytes.subarray(start, start + length), start + length]
}

function varint(bytes: Buffer, from: number): [value: number, next: number] {
  let value = 0
  for (let at = from, scale = 1; at < bytes.length && at < from + 10; at++, scale *= 128) {
    value += (bytes[at]! & 0x7f) * scale
    if (bytes[at]! < 0x80) return [value, at + 1]
  }
  throw broken()
}

function decode(value: number | Buffer, field: Field): unknown {
  if (field === 'number') return typeof value === 'number' ? value : 0
  if (field === 'boolean') return value === 1
  if (typeof value === 'number') throw broken()
  if (field === 'text') return value.toString()
  if (field === 'bytes') return value.toString('base64')
  if (field === 'port') {
    const {
      type = 0,
      number,
      text,
    } = read(value, { 1: ['type', 'number'], 2: ['number', 'number'], 3: ['text', 'text'] })
    return type === 0 ? number : text
  }
  if (!('mapOf' in field)) return read(value, field)
  const { key = '', each = '' } = read(value, { 1: ['key', 'text'], 2: ['each', field.mapOf] })
  return Object.fromEntries([[key, each]])
}
