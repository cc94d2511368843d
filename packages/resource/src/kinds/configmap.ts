// core v1 ConfigMap: kept for those who point to one, such as a Broker for its channel.

import { checkBrokerDefaults } from '../broker-defaults.ts'
import { checkTemplate } from '../channel-template.ts'
import { AGE } from '../columns.ts'
import type { Column, Kind } from '../kind.ts'
import { checkReferenceMapping } from '../reference-mapping.ts'
import { isRecord, type Resource } from '../resource.ts'
import { BROKER_CLASSES } from './broker.ts'

/** How many keys it has. */
export const dataColumn: Column = {
  name: 'Data',
  description: 'How many keys it has.',
  type: 'integer',
  value: (resource) => keysOf(resource).size,
}

function keysOf({ data, binaryData, stringData }: Resource): Set<string> {
  return new Set([data, binaryData, stringData].flatMap((each) => (isRecord(each) ? Object.keys(each) : [])))
}

/** The kind. */
export const configMap: Kind = {
  group: '',
  kind: 'ConfigMap',
  plural: 'configmaps',
  singular: 'configmap',
  shortNames: ['cm'],
  categories: [],
  namespaced: true,
  versions: ['v1'],
  description: 'A ConfigMap holds settings as text under keys.',
  run: true,
  naming: 'subdomain',
  fields: {
    data: { type: 'object', additionalProperties: { type: 'string' }, description: 'Text under keys.' },
    binaryData: {
      type: 'object',
      additionalProperties: { type: 'string' },
      description: 'Bytes in base64 under keys.',
    },
    immutable: { type: 'boolean', description: 'Kept; of no meaning here.' },
  },
  columns: [dataColumn, AGE],
  validate(draft, report) {
    checkTemplate(draft, report)
    checkBrokerDefaults(draft, BROKER_CLASSES, report)
    checkReferenceMapping(draft, report)
  },
}
