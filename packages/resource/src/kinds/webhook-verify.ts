// `spec.verify` of a WebhookSource: how a request proves who sent it.

import { durationSchema, secondsOf } from '../ducks.ts'
import type { JsonSchema, Report } from '../kind.ts'
import type { Path } from '../problem.ts'
import { isRecord } from '../resource.ts'
import { checkTemplate } from '../source-spec.ts'

/** The first words of names that may stand in templates of a webhook. */
export const ROOTS: readonly string[] = ['body', 'header', 'query', 'url', 'method', 'timestamp', 'sortedForm']

/** Fields of `verify` that each scheme has; those with `!` it needs. */
const SCHEMES: Readonly<Record<string, readonly string[]>> = {
  hmac: [
    ...['header!', 'parse', 'prefix', 'algorithm', 'encoding', 'keyEncoding', 'keyPrefix', 'content', 'timestamp'],
    'bodyDigest',
  ],
  ed25519: ['header!', 'parse', 'prefix', 'encoding', 'keyEncoding', 'keyPrefix', 'content', 'timestamp'],
  token: ['header', 'query'],
  sns: ['topicArns!'],
  basic: [],
  bearer: [],
  none: [],
}
/** What may stand under `verify` beside a preset without a scheme of its own. */
const BESIDE_PRESET = ['tolerance', 'topicArns']

/** A field of text. */
export const text = (description: string, example: string): JsonSchema => ({
  type: 'string',
  description,
  examples: [example],
})
const headerName = (description: string): JsonSchema => ({
  type: 'string',
  description,
  pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$",
  patternErrorMessage: 'the name of a header, such as X-Signature',
})

/** Of `verify`. */
export const VERIFY_SCHEMA: JsonSchema = {
  type: 'object',
  description: 'How a request proves who sent it; instead of what the preset does, where it has a scheme.',
  additionalProperties: false,
  properties: {
    scheme: { type: 'string', enum: Object.keys(SCHEMES), description: 'The way. none: anybody may send.' },
    header: headerName('The header that has the signature or token.'),
    query: text('The parameter of the address that has the token, instead of a header.', 'token'),
    parse: {
      type: 'object',
      description: 'Where the header is a list of pairs: how they are told apart, and which are signatures.',
      additionalProperties: false,
      required: ['separator', 'pair', 'take'],
      properties: {
        separator: text('What stands between the pairs.', ','),
        pair: text('What stands between name and value.', '='),
        take: text('The name of those that are signatures.', 'v1'),
      },
    },
    prefix: text('What stands before the signature.', 'sha256='),
    algorithm: {
      type: 'string',
      enum: ['sha1', 'sha256', 'sha384', 'sha512'],
      description: 'Of the HMAC. Default sha256.',
    },
    encoding: {
      type: 'string',
      enum: ['hex', 'base64', 'base64url'],
      description: 'Of the signature. Default hex; base64 for ed25519.',
    },
    keyEncoding: {
      type: 'string',
      enum: ['utf8', 'hex', 'base64'],
      description: 'How the secret is written. Default utf8: it is the key as it is; base64 for ed25519.',
    },
    keyPrefix: text('What stands before the key and is no part of it.', 'whsec_'),
    content: text('What is signed, as a template. Default {body}.', '{timestamp}.{body}'),
    timestamp: {
      type: 'object',
      description: 'When it was signed. Older and newer ones are refused.',
      additionalProperties: false,
      required: ['header'],
      properties: {
        header: headerName('The header that has it.'),
        take: text('The name of its pair, where it stands in the header of the signature.', 't'),
        unit: { type: 'string', enum: ['s', 'ms'], description: 'Seconds or milliseconds since 1970. Default s.' },
        tolerance: durationSchema('How far it may be off. Default PT5M.', 'PT5M'),
      },
    },
    bodyDigest: text('The parameter of the address that has the SHA-256 of the body, in hex.', 'bodySHA256'),
    tolerance: durationSchema('How far the time of a signature may be off, where the preset has one.', 'PT5M'),
    topicArns: {
      type: 'array',
      minItems: 1,
      items: { type: 'string', pattern: '^arn:aws[a-z-]*:sns:', patternErrorMessage: 'the ARN of an SNS topic' },
      description: 'The topics whose messages are taken: AWS signs for those of all its customers.',
    },
  },
}

/** Its rules beyond the schema. `preset`: of the spec. */
export function checkVerify(
  verify: Record<string, unknown>,
  scheme: string | undefined,
  preset: string | undefined,
  report: Report,
): void {
  if (scheme !== undefined && !Object.hasOwn(SCHEMES, scheme)) return // the schema says so
  const known = scheme === undefined ? (preset === undefined ? [] : BESIDE_PRESET) : SCHEMES[scheme]!
  for (const field of Object.keys(verify)) {
    if (field === 'scheme' || known.includes(field) || known.includes(`${field}!`)) continue
    if (VERIFY_SCHEMA.properties![field] === undefined) continue // the schema says so
    const whose = scheme === undefined ? `preset ${preset ?? ''}` : `scheme ${scheme}`
    report({
      code: 'SLUICE_RESOURCE_INVALID',
      path: ['spec', 'verify', field],
      at: 'key',
      message: `must not set the field(s): spec.verify.${field}`,
      hint: `With ${whose} there ${known.length === 0 ? 'is nothing to set' : `are ${known.join(', ').replaceAll('!', '')}`}.`,
    })
  }
  for (const field of known) {
    if (field.endsWith('!') && verify[field.slice(0, -1)] === undefined) {
      missing(report, ['spec', 'verify'], `spec.verify.${field.slice(0, -1)}`, `Scheme ${scheme} needs it.`)
    }
  }
  if (scheme === 'token' && (verify['header'] === undefined) === (verify['query'] === undefined)) {
    missing(
      report,
      ['spec', 'verify'],
      'spec.verify.header',
      'Name the header or the query parameter that has the token, one of them.',
    )
  }
  if (scheme === undefined && preset === 'sns' && verify['topicArns'] === undefined) {
    missing(report, ['spec'], 'spec.verify.topicArns', 'Name your topics: AWS signs for those of all its customers.')
  }
  checkTemplate(verify['content'], ['spec', 'verify', 'content'], ROOTS, report)
}

/** Tells that something has to be there. */
export function missing(report: Report, path: Path, what: string, hint: string): void {
  report({ code: 'SLUICE_RESOURCE_MISSING_FIELD', path, at: 'key', message: `missing field(s): ${what}`, hint })
}

/** As sources/webhook wants it: headers in lower case, durations in ms, and what was left out. */
export function verifySettings({
  tolerance,
  header,
  timestamp,
  ...verify
}: Record<string, unknown>): Record<string, unknown> {
  const { scheme } = verify
  const signed =
    scheme === 'ed25519' ? { encoding: 'base64', keyEncoding: 'base64' } : { encoding: 'hex', keyEncoding: 'utf8' }
  const isSigned = scheme === 'hmac' || scheme === 'ed25519'
  return {
    ...(isSigned && { algorithm: 'sha256', content: '{body}', ...signed }),
    ...verify,
    ...(header !== undefined && { header: lowerCase(header) }),
    ...(tolerance !== undefined && { toleranceMs: msOf(tolerance) }),
    ...(isRecord(timestamp) && {
      timestamp: {
        unit: 's',
        ...timestamp,
        header: lowerCase(timestamp['header']),
        toleranceMs: msOf(timestamp['tolerance'] ?? 'PT5M'),
      },
    }),
  }
}

/** Of a duration that is valid, in ms. */
export function msOf(duration: unknown): number {
  return typeof duration === 'string' ? secondsOf(duration) * 1000 : 0
}

function lowerCase(header: unknown): string {
  return typeof header === 'string' ? header.toLowerCase() : ''
}
