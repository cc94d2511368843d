// core v1 Secret: kept for those who point to one. Its values stay out of every message and excerpt (threat 19).

import type { Kind } from '../kind.ts'

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
}
