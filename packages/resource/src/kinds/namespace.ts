// core v1 Namespace: kept. A namespace is a name; nothing has to be made for it to be used.

import { AGE } from '../columns.ts'
import type { Kind } from '../kind.ts'
import { checkNamespaceFree } from '../metadata.ts'

/** The kind. */
export const namespace: Kind = {
  group: '',
  kind: 'Namespace',
  plural: 'namespaces',
  singular: 'namespace',
  shortNames: ['ns'],
  categories: [],
  namespaced: false,
  versions: ['v1'],
  description: 'A Namespace groups resources by name.',
  run: true,
  naming: 'label',
  fields: {
    spec: {
      type: 'object',
      additionalProperties: false,
      properties: { finalizers: { type: 'array', items: { type: 'string' } } },
    },
  },
  columns: [{ name: 'Status', description: 'Active: it can be used.', value: () => 'Active' }, AGE],
  validate: ({ metadata }, report) => checkNamespaceFree(metadata.name, ['metadata', 'name'], report),
}
