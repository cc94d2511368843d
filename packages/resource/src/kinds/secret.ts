// core v1 Secret: kept for those who point to one. Its values stay out of every message and excerpt (threat 19).

import { AGE, column } from '../columns.ts'
import type { Draft, Kind, Report } from '../kind.ts'
import { pathText } from '../problem.ts'
import { isRecord, type Resource } from '../resource.ts'
import { dataColumn } from './configmap.ts'

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
    type: { type: 'string', description: 'Such as Opaque.' },
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
  validate: refuseHidden,
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
