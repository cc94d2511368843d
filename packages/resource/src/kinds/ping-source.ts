// sources.knative.dev PingSource: an event by a cron schedule. Rules and texts are Knative's (KNATIVE.md 1.4).

import { createRequire } from 'node:module'
import type { Draft, Kind, Report } from '../kind.ts'
import type { Path } from '../problem.ts'
import { isRecord } from '../resource.ts'
import { checkSourceSpec, convertSink, defaultSink, sinkReference, sourceSpecSchema } from '../source-spec.ts'

/** The annotation that says what becomes of times at which nothing ran. */
const CATCH_UP = 'sluice.dev/catch-up'

/** The kind. */
export const pingSource: Kind = {
  group: 'sources.knative.dev',
  kind: 'PingSource',
  plural: 'pingsources',
  singular: 'pingsource',
  shortNames: [],
  categories: ['all', 'knative', 'sources'],
  namespaced: true,
  versions: ['v1', 'v1beta2', 'v1beta1', 'v1alpha2'],
  description: 'A PingSource sends an event whenever its schedule says so.',
  run: true,
  naming: 'subdomain',
  required: ['spec'],
  fields: {
    spec: sourceSpecSchema('When, what, and where to.', {
      schedule: {
        type: 'string',
        description: 'Cron, five fields or six, the first then seconds; or @hourly and the like. Default * * * * *.',
        examples: ['*/5 * * * *', '30 */5 * * * *'],
      },
      timezone: {
        type: 'string',
        description: 'Of the schedule, as in the IANA database. Default UTC.',
        examples: ['Europe/Rome'],
      },
      contentType: { type: 'string', description: 'Media type of the data.', examples: ['application/json'] },
      data: { type: 'string', description: 'Data of the event, as text.' },
      dataBase64: { type: 'string', description: 'Data of the event, in base64.' },
    }),
  },
  annotations: {
    [CATCH_UP]: {
      description: 'Whether times at which nothing ran are made up for: none, the last one, or all (1,000 at most).',
      values: ['none', 'last', 'all'],
      refuse: (value) => (['none', 'last', 'all'].includes(value) ? undefined : 'none or last or all'),
    },
  },
  conditions: { living: ['SinkProvided', 'Deployed', 'OIDCIdentityCreated'] },
  convert: convertPingSource,
  defaults: defaultPingSource,
  validate: validatePingSource,
  references: sinkReference,
}

/** Until v1beta1 data was JSON by definition, under another name. */
function convertPingSource(draft: Draft, version: string, report: Report): void {
  convertSink(draft, version, report)
  const { spec } = draft
  if (!isRecord(spec) || !['v1alpha2', 'v1beta1'].includes(version) || spec['jsonData'] === undefined) return
  const { jsonData, ...rest } = spec
  draft['spec'] = { contentType: 'application/json', ...rest, data: jsonData }
}

function defaultPingSource(draft: Draft): void {
  defaultSink(draft)
  const { spec } = draft
  if (isRecord(spec) && (spec['schedule'] === undefined || spec['schedule'] === '')) spec['schedule'] = '* * * * *'
}

function validatePingSource(draft: Draft, report: Report): void {
  checkSourceSpec(draft, report)
  const { spec } = draft
  if (!isRecord(spec)) return
  const { schedule, timezone } = spec
  if (typeof timezone === 'string' && timezone !== '' && !isTimeZone(timezone)) {
    const unknown = `provided bad location ${timezone}: unknown time zone ${timezone}`
    invalid(report, ['spec', 'timezone'], unknown, 'Write a name of the IANA database, such as Europe/Rome or UTC.')
  }
  const wrong = typeof schedule === 'string' && schedule !== '' ? scheduleFault(schedule) : undefined
  if (wrong !== undefined) invalid(report, ['spec', 'schedule'], wrong.what, wrong.hint)
  checkData(spec, report)
}

function invalid(report: Report, path: Path, what: string, hint: string): void {
  report({ code: 'SLUICE_RESOURCE_INVALID', path, message: `invalid value: ${what}: ${path.join('.')}`, hint })
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }) instanceof Intl.DateTimeFormat
  } catch {
    return false
  }
}

const FIVE_FIELDS = 'Write five fields, minute, hour, day, month and day of the week, or six with seconds before them.'
const DESCRIPTORS = ['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly']

/** In the words of the library that Knative uses. */
function scheduleFault(schedule: string): { what: string; hint: string } | undefined {
  const text = schedule.trim()
  if (text.includes('@every')) return { what: 'unsupported descriptor @every', hint: FIVE_FIELDS }
  if (text.startsWith('@')) {
    const isKnown = DESCRIPTORS.includes(text)
    return isKnown
      ? undefined
      : { what: `unrecognized descriptor: ${text}`, hint: `There are ${DESCRIPTORS.join(', ')}.` }
  }
  if (/^(CRON_)?TZ=/.test(text)) {
    return { what: text, hint: 'The time zone stands under spec.timezone.' }
  }
  const fields = text.split(/\s+/)
  if (fields.length < 5 || fields.length > 6) {
    const found = `expected 5 to 6 fields, found ${fields.length}: [${fields.join(' ')}]`
    return { what: found, hint: FIVE_FIELDS }
  }
  const odd = fields.find(
    (field) => !/^(\*|\?|[\dA-Za-z]+)(-[\dA-Za-z]+)?(\/\d+)?(,(\*|[\dA-Za-z]+)(-[\dA-Za-z]+)?(\/\d+)?)*$/.test(field),
  )
  if (odd !== undefined || /\b\d*[LW]\b/.test(text)) {
    return { what: `failed to parse ${odd ?? text}`, hint: FIVE_FIELDS }
  }
  try {
    const { Cron } = croner()
    const cron = new Cron(text, { paused: true, timezone: 'UTC' })
    if (cron.nextRun() === null) return { what: text, hint: 'There is no such day: it would never send anything.' }
    return undefined
  } catch (error) {
    return { what: (error as Error).message.replace(/^CronPattern: /, '').replace(/\.$/, ''), hint: FIVE_FIELDS }
  }
}

/** Loaded for the first PingSource: this file is read at every start. */
function croner(): typeof import('croner') {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what is required has the types of what is imported
  return createRequire(import.meta.url)('croner') as typeof import('croner')
}

function checkData({ data, dataBase64, contentType }: Record<string, unknown>, report: Report): void {
  const text = typeof data === 'string' && data !== '' ? data : undefined
  const base64 = typeof dataBase64 === 'string' && dataBase64 !== '' ? dataBase64 : undefined
  if (text !== undefined && base64 !== undefined) {
    report({
      code: 'SLUICE_RESOURCE_INVALID',
      path: ['spec', 'dataBase64'],
      at: 'key',
      message: 'expected exactly one, got both: spec.data, spec.dataBase64',
      hint: 'Remove one of them.',
    })
    return
  }
  const path = ['spec', text === undefined ? 'dataBase64' : 'data']
  if (base64 !== undefined && !/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(base64)) {
    return invalid(report, path, 'illegal base64 data', 'Write base64 with its padding, or text under spec.data.')
  }
  const content = text ?? (base64 === undefined ? undefined : Buffer.from(base64, 'base64').toString('utf8'))
  if (contentType !== 'application/json' || content === undefined || isJsonObject(content)) return
  invalid(report, path, 'no JSON object', 'With contentType application/json it has to be one, as in {"a": 1}.')
}

function isJsonObject(text: string): boolean {
  try {
    return isRecord(JSON.parse(text))
  } catch {
    return false
  }
}
