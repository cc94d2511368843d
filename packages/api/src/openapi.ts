// OpenAPI, from the very schemas that resources are checked by: what kubectl explain tells, and what clients ask to learn
// which parameters a verb takes. Version 3 a document for each group and version; version 2 one for all.

import { hash } from 'node:crypto'
import { jsonSchema, type JsonSchema, type Kind } from '@sluice/resource'
import type { Catalog } from './catalog.ts'

/** `/openapi/v3`: where each document is. The hash lets clients keep it. */
export function openapiIndex(catalog: Catalog): object {
  const paths = catalog.groups.flatMap(({ name, versions }) =>
    versions.map(({ version }) => {
      const path = pathOf(name, version)
      const digest = hash('sha256', JSON.stringify(openapiOf(catalog, name, version)))
        .slice(0, 32)
        .toUpperCase()
      return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${digest}` }] as const
    }),
  )
  return { paths: Object.fromEntries(paths) }
}

/** `/openapi/v3/apis/{group}/{version}`; `undefined` where there is no such version. */
export function openapiOf(catalog: Catalog, group: string, version: string): object | undefined {
  const kinds = catalog.kindsServed(group, version)
  if (kinds === undefined) return undefined
  return {
    openapi: '3.0.0',
    info: { title: 'Sluice', version: 'unversioned' },
    paths: Object.assign({}, ...kinds.map((kind) => pathsOf(kind, version))) as object,
    components: {
      schemas: Object.fromEntries(kinds.map((kind) => [schemaName(kind, version), schemaOf(kind, version)])),
    },
  }
}

/** `/openapi/v2`, whose models are the same. */
export function swagger({ groups }: Catalog): object {
  const all = groups.flatMap(({ versions }) =>
    versions.flatMap(({ version, kinds }) => kinds.map((kind) => ({ kind, version }))),
  )
  return {
    swagger: '2.0',
    info: { title: 'Sluice', version: 'unversioned' },
    paths: {},
    definitions: Object.fromEntries(
      all.map(({ kind, version }) => [schemaName(kind, version), schemaOf(kind, version)]),
    ),
  }
}

/** Of {@link PROTOBUF_SWAGGER}, as clients ask for it and as it is answered. */
export const PROTOBUF_ASKED = 'application/com.github.proto-openapi.spec.v2'
export const PROTOBUF_ANSWERED = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf'

/**
 * `/openapi/v2` for kubectl, which asks for it as protobuf and takes nothing else, where it has a kind that no version 3
 * document has: without models, so that it leaves the checking to the server and says itself that there is no such kind.
 */
export const PROTOBUF_SWAGGER: Buffer = Buffer.concat([
  field(1, Buffer.from('2.0')), // swagger
  field(2, Buffer.concat([field(1, Buffer.from('Sluice')), field(2, Buffer.from('unversioned'))])), // info
  field(8, Buffer.alloc(0)), // paths
])

/** A field of bytes, shorter than 128. */
function field(number: number, bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes])
}

function pathOf(group: string, version: string): string {
  return group === '' ? `api/${version}` : `apis/${group}/${version}`
}

/** `dev.knative.eventing.v1.Trigger`, as Kubernetes names models. */
function schemaName({ group, kind }: Kind, version: string): string {
  const reversed = group === '' ? 'io.k8s.api.core' : group.split('.').toReversed().join('.')
  return `${reversed}.${version}.${kind}`
}

function schemaOf(kind: Kind, version: string): object {
  const { $schema: _schema, ...schema } = jsonSchema(kind, version)
  const open = kind.fields === undefined ? { 'x-kubernetes-preserve-unknown-fields': true } : {}
  return {
    ...plain(schema),
    ...open,
    'x-kubernetes-group-version-kind': [{ group: kind.group, version, kind: kind.kind }],
  }
}

/** Without the words that OpenAPI 3.0 lacks. */
function plain({ examples: _examples, patternErrorMessage: _told, ...schema }: JsonSchema): object {
  const { properties, items, additionalProperties, ...rest } = schema
  return {
    ...rest,
    ...(properties !== undefined && {
      properties: Object.fromEntries(Object.entries(properties).map(([name, each]) => [name, plain(each)])),
    }),
    ...(items !== undefined && { items: plain(items) }),
    // `false` is what a strict client checks by fieldValidation, and no word of Kubernetes' schemas.
    ...(typeof additionalProperties === 'object' && { additionalProperties: plain(additionalProperties) }),
  }
}

function pathsOf(kind: Kind, version: string): object {
  const base = `/${pathOf(kind.group, version)}${kind.namespaced ? '/namespaces/{namespace}' : ''}/${kind.plural}`
  const action = (verb: string, parameters: readonly string[]): object => ({
    responses: { '200': { description: 'OK' } },
    parameters: parameters.map((name) => ({ name, in: 'query', schema: { type: 'string', uniqueItems: true } })),
    'x-kubernetes-action': verb,
    'x-kubernetes-group-version-kind': { group: kind.group, version, kind: kind.kind },
  })
  return {
    [base]: {
      get: action('list', READING),
      post: action('post', WRITING),
      delete: action('deletecollection', DELETING),
    },
    [`${base}/{name}`]: {
      get: action('get', []),
      put: action('put', WRITING),
      patch: action('patch', [...WRITING, 'force']),
      delete: action('delete', DELETING),
    },
  }
}

const READING = ['labelSelector', 'fieldSelector', 'limit', 'continue', 'resourceVersion', 'watch']
const WRITING = ['dryRun', 'fieldManager', 'fieldValidation']
const DELETING = ['dryRun']
