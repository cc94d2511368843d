// The metadata of every resource: its schema, its names, and the annotations under `sluice.dev/`.

import type { Draft, JsonSchema, Kind, Report } from './kind.ts'
import { didYouMean } from './nearest.ts'
import type { Path, Severity } from './problem.ts'

const STRINGS: JsonSchema = { type: 'object', additionalProperties: { type: 'string' } }
const BY_THE_SERVER: JsonSchema = { description: 'Written by the server; what a file says here is left out.' }

/** Of `metadata`. What a server writes there is allowed, for people apply what `kubectl get -o yaml` printed. */
export const METADATA_SCHEMA: JsonSchema = {
  type: 'object',
  description: 'Name, namespace, labels and annotations.',
  required: ['name'],
  additionalProperties: false,
  properties: {
    name: { type: 'string', description: 'Name of this resource, unique for its kind and namespace.' },
    generateName: BY_THE_SERVER, // of one that was created without a name
    namespace: { type: 'string', description: 'Namespace of this resource. Default: default.' },
    labels: { ...STRINGS, description: 'Words to select resources by.' },
    annotations: { ...STRINGS, description: 'Settings and notes beside the spec.' },
    uid: BY_THE_SERVER,
    resourceVersion: BY_THE_SERVER,
    generation: BY_THE_SERVER,
    creationTimestamp: BY_THE_SERVER,
    deletionTimestamp: BY_THE_SERVER,
    deletionGracePeriodSeconds: BY_THE_SERVER,
    managedFields: BY_THE_SERVER,
    selfLink: BY_THE_SERVER,
    finalizers: BY_THE_SERVER,
    ownerReferences: BY_THE_SERVER,
  },
}

/** Names that stand in paths of the ingress, so that no namespace can have them (SURFACE, "Paths"). */
export const RESERVED_NAMESPACES: readonly string[] = ['channels', 'webhooks']

const LABEL = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/
const SUBDOMAIN = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/
const NAME_CHARACTERS_MAX = 253

/** Names and namespaces by RFC 1123, as Kubernetes has it. */
export function checkNames(draft: Draft, kind: Kind, report: Report): void {
  const { name, namespace } = draft.metadata
  if (!isName(name, kind.naming)) {
    const label = kind.naming === 'label'
    report({
      code: 'SLUICE_RESOURCE_INVALID_NAME',
      path: ['metadata', 'name'],
      message: `invalid value: ${JSON.stringify(name.slice(0, 80))}: metadata.name`,
      hint:
        kind.naming === 'path'
          ? `It has to be 1 to ${NAME_CHARACTERS_MAX} characters without "/" and "%", and neither "." nor "..".`
          : `It has to be 1 to ${label ? 63 : NAME_CHARACTERS_MAX} lower-case letters, digits${label ? '' : ', "."'} and "-", with a letter or digit first and last (RFC 1123).${lowerCase(name, kind.naming)}`,
    })
  }
  if (!kind.namespaced) return
  if (!LABEL.test(namespace)) {
    report({
      code: 'SLUICE_RESOURCE_INVALID_NAME',
      path: ['metadata', 'namespace'],
      message: `invalid value: ${JSON.stringify(namespace.slice(0, 80))}: metadata.namespace`,
      hint: `It has to be 1 to 63 lower-case letters, digits and "-", with a letter or digit first and last (RFC 1123).${lowerCase(namespace, 'label')}`,
    })
  }
  checkNamespaceFree(namespace, ['metadata', 'namespace'], report)
}

/** Refuses the namespaces that don't exist. */
export function checkNamespaceFree(namespace: string, path: readonly string[], report: Report): void {
  if (!RESERVED_NAMESPACES.includes(namespace)) return
  report({
    code: 'SLUICE_RESOURCE_RESERVED_NAMESPACE',
    path,
    message: `There can be no namespace ${namespace}: its brokers would have the address of ${namespace} (/${namespace}/...).`,
    hint: 'Choose another name.',
  })
}

function isName(name: string, naming: Kind['naming']): boolean {
  if (name === '' || name.length > NAME_CHARACTERS_MAX) return false
  if (naming === 'path') return !/[/%]/.test(name) && name !== '.' && name !== '..'
  return (naming === 'label' ? LABEL : SUBDOMAIN).test(name)
}

function lowerCase(name: string, naming: Kind['naming']): string {
  const guess = name.toLowerCase().replaceAll(/[_ ]+/g, '-')
  return guess !== name && isName(guess, naming) ? ` Did you mean ${guess}?` : ''
}

/** Annotations that the kind knows by their rules; those under `sluice.dev/` that it doesn't know are errors. */
export function checkAnnotations(draft: Draft, kind: Kind, report: Report): void {
  for (const [name, value] of Object.entries(draft.metadata.annotations)) {
    const path = ['metadata', 'annotations', name]
    const rule =
      kind.annotations !== undefined && Object.hasOwn(kind.annotations, name) ? kind.annotations[name] : undefined
    if (rule === undefined) {
      if (!name.startsWith(OURS) || kind.fields === undefined) continue
      const known = Object.keys(kind.annotations ?? {}).filter((other) => other.startsWith(OURS))
      report({
        code: 'SLUICE_RESOURCE_UNKNOWN_ANNOTATION',
        path,
        at: 'key',
        message: `A ${kind.kind} has no annotation ${name}.`,
        hint: didYouMean(name, known, OURS) ?? (known.length === 0 ? 'Remove it.' : `There are ${known.join(', ')}.`),
      })
      continue
    }
    const allowed = typeof value === 'string' ? rule.refuse(value) : undefined
    if (allowed === undefined) {
      const severity = rule.notYet?.(value)
      if (severity !== undefined) report(notActedOn(name, path, severity))
      continue
    }
    report({
      code: 'SLUICE_RESOURCE_INVALID_ANNOTATION',
      path,
      message: `Annotation ${name} is ${JSON.stringify(value.slice(0, 80))}.`,
      hint: ['It has to be ', allowed, '.', rule.values === undefined ? '' : ` ${didYouMean(value, rule.values) ?? ''}`]
        .join('')
        .trimEnd(),
    })
  }
}

const OURS = 'sluice.dev/'

function notActedOn(name: string, path: Path, severity: Severity): Parameters<Report>[0] {
  return {
    severity,
    code: 'SLUICE_RESOURCE_NOT_ACTED_ON',
    path,
    at: 'key',
    message: `Annotation ${name} is not acted on by this version.`,
    hint: severity === 'error' ? 'Remove it, and don’t rely on it.' : 'It changes nothing yet.',
  }
}
