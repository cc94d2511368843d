// core v1 Secret: kept for those who point to one. Its values stay out of every message and excerpt (threat 19).

import { AGE, column } from '../columns.ts'
import type { Draft, Kind, Report } from '../kind.ts'
import { pathText } from '../problem.ts'
import { isRecord, type Resource } from '../resource.ts'
import { dataColumn } from './configmap.ts'
import { SECRET_ORIGIN_KEY, SECRET_TYPES } from './receiver-annotations.ts'

/** The kind. */
export const secret: Kind = {
  group: '',
  kind: 'Secret',
  plural: 'secrets',
  singular: 'secret',
  shortNames: [],
  categories: [],
  namespaced: true,
  versions: ['v1'],
  description: 'A Secret holds keys and passwords that other resources name.',
  run: true,
  naming: 'subdomain',
  sensitive: true,
  fields: {
    type: {
      type: 'string',
      description: `Such as Opaque; or what it holds for a receiver: ${Object.keys(SECRET_TYPES).join(', ')}.`,
    },
    stringData: {
      type: 'object',
      additionalProperties: { type: 'string' },
      description: 'Text under keys. env:NAME is the value of a variable, file:PATH what stands in a file.',
    },
    data: {
      type: 'object',
      description: 'Bytes in base64 under keys.',
      additionalProperties: {
        type: 'string',
        pattern: '^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?\\s*$',
        patternErrorMessage: 'base64; plain text stands under stringData',
      },
    },
    immutable: { type: 'boolean', description: 'Kept; of no meaning here.' },
  },
  columns: [{ ...column('Type', ['type'], 'What it holds.'), value: ({ type }) => type ?? 'Opaque' }, dataColumn, AGE],
  selectable: ['type'],
  hide: hideValues,
  validate: validateSecret,
}

/** What an answer has in place of each value (threat 7): a Secret is written, and never read again. */
export const HIDDEN = '(hidden)'
const HIDDEN_BASE64 = Buffer.from(HIDDEN).toString('base64')
/** kubectl keeps what was applied there, values and all. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'

function hideValues(resource: Resource): Resource {
  const { [LAST_APPLIED]: applied, ...annotations } = resource.metadata.annotations
  const { data, stringData } = resource
  return {
    ...resource,
    metadata: applied === undefined ? resource.metadata : { ...resource.metadata, annotations },
    ...(isRecord(data) && { data: mapped(data, HIDDEN_BASE64) }),
    ...(isRecord(stringData) && { stringData: mapped(stringData, HIDDEN) }),
  }
}

function mapped(values: Record<string, unknown>, hidden: string): Record<string, string> {
  return Object.fromEntries(Object.keys(values).map((key) => [key, hidden]))
}

function validateSecret(draft: Draft, report: Report): void {
  refuseHidden(draft, report)
  checkType(draft, report)
}

/** Of a type of ours, its keys are known. Kubernetes' own may have others, such as ca.crt. */
function checkType({ type, data, stringData }: Draft, report: Report): void {
  if (typeof type !== 'string' || !type.startsWith('sluice.dev/')) return
  const known = SECRET_TYPES[type]
  if (known === undefined) {
    report({
      code: 'SLUICE_RESOURCE_INVALID',
      path: ['type'],
      message: `invalid value: ${type}: type`,
      hint: `Known are ${Object.keys(SECRET_TYPES).join(', ')}.`,
    })
    return
  }
  const fields: [string, unknown][] = [
    ['data', data],
    ['stringData', stringData],
  ]
  const allowed = [...known.keys, ...known.optional, SECRET_ORIGIN_KEY]
  for (const [field, values] of fields) {
    if (!isRecord(values)) continue
    for (const key of Object.keys(values)) {
      if (allowed.includes(key)) continue
      report({
        code: 'SLUICE_RESOURCE_INVALID',
        path: [field, key],
        at: 'key',
        message: `unknown key "${key}" of a Secret of type ${type}.`,
        hint: `It has ${allowed.join(', ')}.`,
      })
    }
  }
  const given = fields.flatMap(([, values]) => (isRecord(values) ? Object.keys(values) : []))
  const missing = known.keys.filter((key) => !given.includes(key))
  if (missing.length === 0) return
  report({
    code: 'SLUICE_RESOURCE_MISSING_FIELD',
    path: ['type'],
    message: `missing key(s) of a Secret of type ${type}: ${missing.join(', ')}`,
    hint: 'Write them under stringData.',
  })
}

/** Somebody has edited what an answer showed; whoever takes it puts back what was there, where there was something. */
function refuseHidden(draft: Draft, report: Report): void {
  for (const [field, hidden] of [['data', HIDDEN_BASE64] as const, ['stringData', HIDDEN] as const]) {
    const values = draft[field]
    if (!isRecord(values)) continue
    for (const [key, value] of Object.entries(values)) {
      if (value !== hidden) continue
      report({
        code: 'SLUICE_RESOURCE_INVALID',
        path: [field, key],
        message: `invalid value: what stands for a value that is not shown: ${pathText([field, key])}`,
        hint: 'Write the value itself.',
      })
    }
  }
}
