// core v1 ConfigMap: kept for those who point to one, such as a Broker for its channel.

import { checkTemplate } from '../channel-template.ts'
import type { Kind } from '../kind.ts'

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
  validate: checkTemplate,
}
