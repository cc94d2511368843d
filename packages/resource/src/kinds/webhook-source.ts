// sources.sluice.dev WebhookSource: requests of a provider, verified and made events. What the providers do is data of
// sources/webhook; here stands what a person may write.

import { durationSchema } from '../ducks.ts'
import type { Draft, Kind, Reference, Report } from '../kind.ts'
import { parseBytes } from '../quantity.ts'
import { isRecord, type Resource } from '../resource.ts'
import {
  checkSourceSpec,
  checkTemplate,
  convertSink,
  defaultSink,
  sinkReference,
  SOURCE_CONDITIONS,
  sourceSpecSchema,
} from '../source-spec.ts'
import { checkVerify, missing, msOf, ROOTS, text, verifySettings, VERIFY_SCHEMA } from './webhook-verify.ts'

/** Providers that are known; a test holds them to those of sources/webhook. */
export const WEBHOOK_PRESETS: readonly string[] = [
  ...['github', 'gitlab', 'bitbucket', 'stripe', 'slack', 'shopify', 'twilio', 'standard-webhooks', 'sns'],
  'cloudevents',
]

const ATTRIBUTES = ['type', 'source', 'subject', 'id', 'time'] as const

/** The kind. */
export const webhookSource: Kind = {
  group: 'sources.sluice.dev',
  kind: 'WebhookSource',
  plural: 'webhooksources',
  singular: 'webhooksource',
  shortNames: [],
  categories: ['all', 'sources'],
  namespaced: true,
  versions: ['v1alpha1'],
  description: 'A WebhookSource takes the requests of a provider at its address, and makes events of them.',
  run: true,
  naming: 'subdomain',
  required: ['spec'],
  fields: {
    spec: sourceSpecSchema('Who sends, how that is proved, and where the events go.', {
      preset: { type: 'string', enum: WEBHOOK_PRESETS, description: 'The provider, whose ways are known.' },
      verify: VERIFY_SCHEMA,
      secretRefs: {
        type: 'array',
        description: 'Values of Secrets of this namespace; any of them may match, so that one can be exchanged.',
        items: {
          type: 'object',
          additionalProperties: false,
          required: ['name', 'key'],
          properties: {
            name: { type: 'string', description: 'Name of the Secret.' },
            key: { type: 'string', description: 'Key in it.' },
          },
        },
      },
      event: {
        type: 'object',
        description: 'Templates of attributes, over those of the preset.',
        additionalProperties: false,
        properties: {
          type: text('What happened.', 'com.example.{header.x-event}[.{body.action}]'),
          source: text('Where. Default: the path of this webhook.', '{body.repository.url}'),
          subject: text('What it is about.', '{body.id}'),
          id: text(
            'Which one it is; what comes again under the same id is a replay. Default: a new one.',
            '{header.x-id}',
          ),
          time: text('When, as RFC 3339 or seconds or milliseconds since 1970. Default: now.', '{body.created}'),
          extensions: {
            type: 'object',
            description: 'Extension attributes, by their names.',
            additionalProperties: { type: 'string' },
          },
        },
      },
      replayWindow: durationSchema(
        'How long a request that comes again is known. Default PT24H; PT0S = not at all.',
        'PT24H',
      ),
      maxBytes: { description: 'Largest body. Default 25Mi.', examples: ['25Mi'] },
      allowedOrigins: {
        type: 'array',
        minItems: 1,
        items: { type: 'string', pattern: '^(\\*|[A-Za-z0-9.-]+)$', patternErrorMessage: 'a host name, or *' },
        description: 'Who may send after a CloudEvents WebHook handshake; without it there is none.',
      },
      allowedRate: {
        type: 'integer',
        minimum: 1,
        maximum: 10_000_000,
        description: 'Most requests a minute of one origin; beyond, 429. Default: no limit.',
      },
    }),
  },
  conditions: SOURCE_CONDITIONS,
  convert: convertSink,
  defaults: defaultSink,
  validate: validateWebhookSource,
  references: referencesOf,
  settings: settingsOf,
}

function validateWebhookSource(draft: Draft, report: Report): void {
  checkSourceSpec(draft, report)
  const { spec } = draft
  if (!isRecord(spec)) return
  const { preset, maxBytes } = spec
  const verify = isRecord(spec['verify']) ? spec['verify'] : {}
  const scheme = typeof verify['scheme'] === 'string' ? verify['scheme'] : undefined
  if (preset === undefined && scheme === undefined) {
    missing(
      report,
      ['spec'],
      'spec.preset or spec.verify.scheme',
      'Say how requests prove who sent them; verify: {scheme: none} lets anybody send.',
    )
  }
  checkVerify(verify, scheme, typeof preset === 'string' ? preset : undefined, report)
  checkSecrets(spec, scheme, report)
  checkEvent(spec, report)
  if (maxBytes !== undefined && bytesOf(maxBytes) === undefined) {
    report({
      code: 'SLUICE_RESOURCE_INVALID',
      path: ['spec', 'maxBytes'],
      message: 'invalid value: spec.maxBytes',
      hint: 'It has to be a size: bytes, or a number with a unit such as 512Ki or 25Mi.',
    })
  }
}

/** What is checked by a secret needs one. */
function checkSecrets(
  { preset, secretRefs }: Record<string, unknown>,
  scheme: string | undefined,
  report: Report,
): void {
  const needed = scheme === undefined ? preset !== undefined && preset !== 'sns' : !['sns', 'none'].includes(scheme)
  const given = Array.isArray(secretRefs) ? secretRefs.length : 0
  if (needed && given === 0) {
    missing(
      report,
      ['spec'],
      'spec.secretRefs',
      'Name the Secret that the provider signs with: [{name: github, key: secret}].',
    )
  }
  if (given > SECRETS_MAX) {
    const hint = `At most ${SECRETS_MAX}: each request is checked by all of them.`
    report({
      code: 'SLUICE_RESOURCE_INVALID',
      path: ['spec', 'secretRefs'],
      message: 'invalid value: spec.secretRefs',
      hint,
    })
  }
}

const SECRETS_MAX = 8

function checkEvent({ preset, event }: Record<string, unknown>, report: Report): void {
  const templates = isRecord(event) ? event : {}
  const type = templates['type']
  if (preset === undefined && (type === undefined || type === '')) {
    missing(
      report,
      ['spec'],
      'spec.event.type',
      'Without a preset nobody else knows what happened: give a template, such as com.example.{body.kind}.',
    )
  }
  if (preset === 'cloudevents' && Object.keys(templates).length > 0) {
    const hint = 'With preset cloudevents the requests are events already, and pass as they are.'
    report({
      code: 'SLUICE_RESOURCE_INVALID',
      path: ['spec', 'event'],
      at: 'key',
      message: 'must not set the field(s): spec.event',
      hint,
    })
  }
  for (const name of ATTRIBUTES) checkTemplate(templates[name], ['spec', 'event', name], ROOTS, report)
  const extensions = isRecord(templates['extensions']) ? templates['extensions'] : {}
  for (const [name, value] of Object.entries(extensions)) {
    const path = ['spec', 'event', 'extensions', name]
    checkTemplate(value, path, ROOTS, report)
    if (/^[a-z0-9]{1,20}$/.test(name) && !(ATTRIBUTES as readonly string[]).includes(name)) continue
    const hint = 'It has to be 1 to 20 lower-case letters or digits, and no core attribute.'
    report({
      code: 'SLUICE_RESOURCE_INVALID',
      path,
      at: 'key',
      message: `invalid key name "${name}": spec.event.extensions`,
      hint,
    })
  }
}

function bytesOf(value: unknown): number | undefined {
  if (typeof value !== 'number' && typeof value !== 'string') return undefined
  try {
    return parseBytes(String(value))
  } catch {
    return undefined
  }
}

function referencesOf(resource: Resource): Reference[] {
  const { secretRefs = [] } = resource.spec as { secretRefs?: readonly { readonly name: string }[] }
  const { namespace } = resource.metadata
  return [
    ...sinkReference(resource),
    ...secretRefs.map(({ name }, i) => ({
      path: ['spec', 'secretRefs', i],
      apiVersion: 'v1',
      kind: 'Secret',
      namespace,
      name,
      missing: 'Every request is refused until it exists.',
    })),
  ]
}

/** As sources/webhook wants it: headers in lower case, durations in ms, sizes in bytes, and what was left out. */
function settingsOf({ spec = {} }: Resource): Readonly<Record<string, unknown>> {
  const { verify, maxBytes = '25Mi', replayWindow = 'PT24H', sink: _sink, ceOverrides: _overrides, ...rest } = spec
  return {
    ...rest,
    bytesMax: bytesOf(maxBytes),
    replayWindowMs: msOf(replayWindow),
    ...(isRecord(verify) && { verify: verifySettings(verify) }),
  }
}
