// The types that many kinds share (KNATIVE.md 1.0): KReference, Destination, DeliverySpec. For each its schema,
// its rules beyond the schema in Knative's words (A.3), and its type for those who read a valid one.

import { X509Certificate } from 'node:crypto'
import { SluiceError } from '@sluice/event'
import { addressGuard, hostRefusal, target, type AddressGuard } from '@sluice/target'
import type { JsonSchema, Reference, Report } from './kind.ts'
import { pathText, type Path } from './problem.ts'
import { apiVersionOf, isRecord } from './resource.ts'

/** A pointer to an object. */
export interface KReference {
  readonly apiVersion?: string
  readonly group?: string
  readonly kind: string
  readonly name: string
  /** Filled in with that of the resource that points. */
  readonly namespace?: string
  /** The `name` of one of its `status.addresses`. */
  readonly address?: string
}

/** Where events go: an object that has an address, a URL, or a path below that object's address. */
export interface Destination {
  readonly ref?: KReference
  readonly uri?: string
  readonly CACerts?: string
  readonly audience?: string
}

/** How events are delivered, as it is written; durations are ISO 8601. */
export interface DeliverySpec {
  readonly deadLetterSink?: Destination
  readonly retry?: number
  readonly timeout?: string
  readonly backoffPolicy?: 'linear' | 'exponential'
  readonly backoffDelay?: string
  readonly retryAfterMax?: string
  readonly format?: 'json' | 'binary'
}

/** Of {@link KReference}. */
export const REFERENCE_SCHEMA: JsonSchema = {
  type: 'object',
  description: 'A pointer to an object that has an address.',
  additionalProperties: false,
  required: ['kind', 'name'],
  properties: {
    apiVersion: { type: 'string', description: 'Group and version of the object, such as eventing.knative.dev/v1.' },
    kind: { type: 'string', description: 'Kind of the object, such as Broker or Service.' },
    name: { type: 'string', description: 'Name of the object.' },
    namespace: { type: 'string', description: 'Namespace of the object. Default: that of this resource.' },
    group: { type: 'string', description: 'Group of the object, instead of apiVersion.' },
    address: { type: 'string', description: 'Which of the addresses in its status: their name, such as http.' },
  },
}

/** Of {@link Destination}. */
export function destinationSchema(description: string): JsonSchema {
  return {
    type: 'object',
    description,
    additionalProperties: false,
    properties: {
      ref: REFERENCE_SCHEMA,
      uri: {
        type: 'string',
        description: 'An absolute http or https URL; with ref, a path relative to the URL of that object.',
        examples: ['http://127.0.0.1:9000/'],
      },
      CACerts: { type: 'string', description: 'Certificates in PEM that the receiver is trusted by.' },
      audience: { type: 'string', description: 'The audience that a token for the receiver names.' },
    },
  }
}

/**
 * ISO 8601 durations as `parseDuration` of @sluice/delivery takes them: weeks to seconds with fractions, without
 * years and months, which have no fixed length.
 */
export const DURATION_PATTERN: string = ((number) =>
  `^P(?=[\\dT])(?:${number}W)?(?:${number}D)?(?:T(?=\\d)(?:${number}H)?(?:${number}M)?(?:${number}S)?)?$`)(
  '\\d{1,12}(?:[.,]\\d{1,12})?',
)

/** Of a duration that {@link DURATION_PATTERN} takes. */
export function durationSchema(description: string, example: string): JsonSchema {
  return {
    type: 'string',
    description,
    pattern: DURATION_PATTERN,
    patternErrorMessage: `an ISO 8601 duration such as ${example}`,
    examples: [example],
  }
}

/** Of {@link DeliverySpec}. */
export const DELIVERY_SCHEMA: JsonSchema = {
  type: 'object',
  description: 'How often and how long a delivery is tried, and where what could not be delivered goes.',
  additionalProperties: false,
  properties: {
    deadLetterSink: destinationSchema('Where events go that could not be delivered.'),
    retry: {
      type: 'integer',
      minimum: 0,
      maximum: 2 ** 31 - 1,
      description: 'How often a delivery is tried again after the first try. Default 0 where delivery is given.',
    },
    timeout: durationSchema('How long one try may take; more than 0. Default PT30S.', 'PT30S'),
    backoffPolicy: {
      type: 'string',
      enum: ['linear', 'exponential'],
      description: 'Whether the wait before each further try grows by backoffDelay or doubles. Default exponential.',
    },
    backoffDelay: durationSchema('The wait before the second try. Default PT0.2S.', 'PT0.2S'),
    retryAfterMax: durationSchema('The most that a Retry-After of the receiver is honoured. Default PT5M.', 'PT1M'),
    format: {
      type: 'string',
      enum: ['json', 'binary'],
      description: 'Content mode of the delivery: structured JSON, or binary. Default binary.',
    },
  },
}

/** The rules of a KReference beyond its schema (spec 91 to 93). */
export function checkReference(value: unknown, path: Path, report: Report): void {
  if (!isRecord(value)) return
  if (
    typeof value['apiVersion'] !== 'string' &&
    typeof value['group'] !== 'string' &&
    value['apiVersion'] === undefined
  ) {
    report({
      code: 'SLUICE_RESOURCE_MISSING_FIELD',
      path,
      message: `missing field(s): ${pathText([...path, 'apiVersion'])}`,
      hint: 'Say group and version of the object, such as v1 for a Service or eventing.knative.dev/v1 for a Broker.',
    })
  }
}

/** The rules of a Destination beyond its schema (KNATIVE.md 1.0, spec 43). */
export function checkDestination(value: unknown, path: Path, report: Report): void {
  if (!isRecord(value)) return
  const { ref, uri } = value
  checkReference(ref, [...path, 'ref'], report)
  if (ref === undefined && uri === undefined) {
    report({
      code: 'SLUICE_RESOURCE_MISSING_FIELD',
      path,
      message: `expected at least one, got none: ${pathText([...path, 'ref'])}, ${pathText([...path, 'uri'])}`,
      hint: 'Give the object that receives the events as ref, or its URL as uri.',
    })
  }
  if (typeof uri === 'string') checkUri(uri, ref !== undefined, [...path, 'uri'], report)
  const certificates = value['CACerts']
  if (typeof certificates === 'string' && !areCertificates(certificates)) {
    report({
      code: 'SLUICE_RESOURCE_INVALID',
      path: [...path, 'CACerts'],
      message: `invalid value: CA Cert provided is invalid: ${pathText([...path, 'CACerts'])}`,
      hint: 'It has to hold certificates in PEM: -----BEGIN CERTIFICATE----- and so on, each of them whole.',
    })
  }
}

/** Whether this is certificates in PEM, and each can be read. */
function areCertificates(pem: string): boolean {
  const all = pem.match(/-----BEGIN CERTIFICATE-----[\sA-Za-z0-9+/=]+-----END CERTIFICATE-----/g)
  try {
    return all !== null && all.every((each) => new X509Certificate(each).serialNumber !== '')
  } catch {
    return false
  }
}

function checkUri(uri: string, hasRef: boolean, path: Path, report: Report): void {
  const invalid = (message: string, hint: string): void =>
    report({ code: 'SLUICE_RESOURCE_INVALID', path, message: `${message}: ${pathText(path)}`, hint })
  const scheme = /^([a-z][a-z0-9+.-]*):(?!\d+(?:\/|$))/i.exec(uri)?.[1]?.toLowerCase()
  if (hasRef) {
    if (scheme !== undefined || uri.startsWith('//')) {
      invalid(
        'Absolute URI is not allowed when Ref or [apiVersion, kind, name] is present',
        'Remove ref, or write only the path that comes after the URL of that object.',
      )
    }
    return
  }
  if (scheme === undefined) {
    const guess = /^[\w.-]+(:\d+)?(\/|$)/.test(uri) ? ` Did you mean http://${uri}?` : ''
    invalid(
      'Relative URI is not allowed when Ref and [apiVersion, kind, name] is absent',
      `Write an absolute URL such as http://127.0.0.1:9000/.${guess}`,
    )
    return
  }
  const refusal = targetRefusal(uri)
  if (refusal !== undefined) report({ code: 'SLUICE_RESOURCE_INVALID', path, message: refusal })
}

/** Why no event can ever be sent to this URL, with what to do; `undefined` where it can, or where only DNS can tell. */
function targetRefusal(url: string): string | undefined {
  try {
    const { hostname } = new URL(target(url).origin)
    const refusal = hostRefusal(NEVER_CONNECTED, hostname)
    return refusal === undefined ? undefined : `${refusal}.`
  } catch (error) {
    if (error instanceof SluiceError) return error.message
    throw error
  }
}

/** What no setting allows; `--targets=public`, which forbids more, is a setting of the process that delivers. */
export const NEVER_CONNECTED: AddressGuard = addressGuard('any')

/** The rules of a DeliverySpec beyond its schema, and the warning of DESIGN, "Effective policy". */
export function checkDelivery(value: unknown, path: Path, report: Report): void {
  if (!isRecord(value)) return
  checkDestination(value['deadLetterSink'], [...path, 'deadLetterSink'], report)
  for (const field of ['timeout', 'backoffDelay', 'retryAfterMax']) {
    const duration = value[field]
    if (typeof duration !== 'string' || !new RegExp(DURATION_PATTERN).test(duration)) continue
    const seconds = secondsOf(duration)
    const hint =
      field === 'timeout' && seconds === 0
        ? 'It has to be more than 0, such as PT30S.'
        : seconds > DURATION_SECONDS_MAX
          ? 'It has to be at most P3650D.'
          : undefined
    if (hint === undefined) continue
    const at = [...path, field]
    report({ code: 'SLUICE_RESOURCE_INVALID', path: at, message: `invalid value: ${duration}: ${pathText(at)}`, hint })
  }
  if (value['retry'] === undefined) {
    report({
      severity: 'warning',
      code: 'SLUICE_RESOURCE_NO_RETRY',
      path,
      at: 'key',
      message: `${pathText(path)} has no retry, so a failed delivery is not tried again (as in Knative).`,
      hint: 'Write retry: 10 to try ten times more, or retry: 0 if that is meant.',
    })
  }
}

const DURATION_SECONDS_MAX = 3650 * 86_400
const UNIT_SECONDS: Record<string, number> = { W: 604_800, D: 86_400, H: 3600, M: 60, S: 1 }

/** Of a duration that matches {@link DURATION_PATTERN}. */
export function secondsOf(duration: string): number {
  let seconds = 0
  for (const [, amount, unit] of duration.matchAll(/([\d.,]+)([WDHMS])/g)) {
    seconds += Number(amount!.replace(',', '.')) * UNIT_SECONDS[unit!]!
  }
  return seconds
}

/** Fills in the namespace of a Destination's ref: that of the resource that has it. */
export function defaultNamespace(value: unknown, namespace: string): void {
  if (!isRecord(value) || !isRecord(value['ref'])) return
  value['ref']['namespace'] ??= namespace
}

/** {@link defaultNamespace} of a DeliverySpec's dead-letter sink. */
export function defaultDelivery(value: unknown, namespace: string): void {
  if (isRecord(value)) defaultNamespace(value['deadLetterSink'], namespace)
}

/** The reference that a valid Destination holds, if any. */
export function referenceOf(
  destination: Destination | undefined,
  path: Path,
  namespace: string,
  missing: string,
): Reference[] {
  if (destination?.ref === undefined) return []
  const { ref } = destination
  return [
    {
      path: [...path, 'ref'],
      apiVersion: ref.apiVersion ?? apiVersionOf(ref.group ?? '', ''),
      kind: ref.kind,
      namespace: ref.namespace ?? namespace,
      name: ref.name,
      missing,
    },
  ]
}

/**
 * A Destination in today's form: an object reference without `ref` around it, the form of v1alpha1, is taken in every
 * version, of today's with a warning; so is `dnsName` (KNATIVE.md 1.10).
 */
export function convertDestination(value: unknown, path: Path, version: string, report: Report): unknown {
  if (!isRecord(value)) return value
  const { apiVersion, kind, name, namespace, dnsName, ...rest } = value
  if (typeof dnsName === 'string') return { ...rest, uri: `http://${dnsName}` }
  if (rest['ref'] !== undefined) return { ...value, ref: movedReference(rest['ref']) }
  if (kind === undefined || name === undefined) return value
  if (version === 'v1') {
    report({
      severity: 'warning',
      code: 'SLUICE_RESOURCE_OLD_FORM',
      path,
      at: 'key',
      message: `${pathText(path)} is a bare object reference; that was the form of v1alpha1.`,
      hint: 'Put apiVersion, kind and name under ref.',
    })
  }
  const { uri, CACerts, audience, ...unknown } = rest
  const ref = {
    kind,
    name,
    ...(apiVersion !== undefined && { apiVersion }),
    ...(namespace !== undefined && { namespace }),
  }
  return {
    ref: movedReference({ ...ref, ...unknown }),
    ...(uri !== undefined && { uri }),
    ...(CACerts !== undefined && { CACerts }),
    ...(audience !== undefined && { audience }),
  }
}

/** A reference to a Channel of the first releases' group, as one to a Channel of today (KNATIVE.md 1.10). */
export function movedReference(reference: unknown): unknown {
  if (!isRecord(reference) || reference['kind'] !== 'Channel') return reference
  const isFirst = /^(eventing|channels)\.knative\.dev\//.test(String(reference['apiVersion']))
  return isFirst ? { ...reference, apiVersion: 'messaging.knative.dev/v1' } : reference
}
