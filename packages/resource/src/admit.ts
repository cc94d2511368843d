// From what somebody wrote to a resource, or to everything that is wrong with it. The door behind files and the API.
//
// Kind and version are looked up; names, then the old version's form is converted; the schema, the defaults and the
// kind's own rules follow. Nothing stops at the first mistake that the rest can be judged without.

import { findKind, kinds, kindsOf } from './kinds/index.ts'
import type { Draft, Kind, Report } from './kind.ts'
import { checkAnnotations, checkNames, METADATA_SCHEMA } from './metadata.ts'
import { didYouMean, nearest } from './nearest.ts'
import type { Finding } from './problem.ts'
import { apiVersionOf, groupOf, isRecord, resourceUid, versionOf, type Identity, type Resource } from './resource.ts'
import { schemaFindings, show, SPACE_AFTER_COLON } from './schema.ts'

/** What became of it. */
export interface Admission {
  /** The resource, not stored yet; absent where there are errors. */
  readonly resource?: Resource
  /** What it would be called, as far as that can be told. */
  readonly identity?: Identity
  readonly kind?: Kind
  readonly findings: readonly Finding[]
}

/**
 * Judges one resource as it was written, in any version that its kind takes, and completes it. `written` is changed
 * and becomes part of the result, so it has to be the caller's own.
 */
export function admit(written: unknown): Admission {
  const findings: Finding[] = []
  const report: Report = (finding) => findings.push({ severity: 'error', ...finding })
  if (!isRecord(written)) {
    report(notAResource(`A resource has to be a mapping; this is ${show(written)}`))
    return { findings }
  }
  const kind = kindOf(written, report)
  const draft = kind === undefined ? undefined : draftOf(written, kind, report)
  if (kind === undefined || draft === undefined) return { findings }

  const identity = identityOf(draft, kind)
  checkNames(draft, kind, report)
  checkAnnotations(draft, kind, report)
  if (!convert(draft, kind, written, findings, report)) return { identity, kind, findings }
  validate(draft, kind, findings)
  if (findings.some(({ severity }) => severity === 'error')) return { identity, kind, findings }
  kind.defaults?.(draft)
  return { resource: resourceOf(draft, identity), identity, kind, findings }
}

function notAResource(message: string): Parameters<Report>[0] {
  return {
    code: 'SLUICE_RESOURCE_NOT_A_RESOURCE',
    path: [],
    message,
    hint: 'It begins with apiVersion, kind and metadata.name, such as apiVersion: eventing.knative.dev/v1 and kind: Trigger.',
  }
}

function kindOf(written: Record<string, unknown>, report: Report): Kind | undefined {
  const { apiVersion, kind: name } = written
  if (typeof apiVersion !== 'string' || apiVersion === '' || typeof name !== 'string' || name === '') {
    for (const field of ['apiVersion', 'kind']) {
      const value = written[field]
      if (typeof value === 'string' && value !== '') continue
      const meant = Object.keys(written).find((other) => other !== field && nearest(other, [field]) === field)
      report({
        code: 'SLUICE_RESOURCE_NOT_A_RESOURCE',
        path: value === undefined ? [] : [field],
        message: value === undefined ? `missing field(s): ${field}` : `invalid value: ${show(value)}: ${field}`,
        hint: meant === undefined ? HINTS[field]! : `Did you mean ${field} where ${meant} stands?`,
      })
    }
    return undefined
  }
  const group = groupOf(apiVersion)
  const moved = movedKind(apiVersion, name, report)
  if (moved !== undefined) return moved
  const kind = findKind(group, name) ?? respell(group, name, report) ?? unknownKind(group, name, report)
  if (kind === undefined) return undefined
  const [stored] = kind.versions
  if (stored !== undefined && !(kind.versions as readonly string[]).includes(versionOf(apiVersion))) {
    report({
      code: 'SLUICE_RESOURCE_UNKNOWN_VERSION',
      path: ['apiVersion'],
      message: `A ${kind.kind} has no version ${apiVersion}.`,
      hint: `Write ${apiVersionOf(group, stored)}; ${kind.versions.join(', ')} are taken.`,
    })
    return undefined
  }
  if (!kind.run) {
    report({
      severity: 'warning',
      code: 'SLUICE_RESOURCE_NOT_RUN',
      path: ['kind'],
      message: `${kind.kind} of ${apiVersion} is kept and shown, but not acted on by this version.`,
      ...(kind.instead !== undefined && { hint: kind.instead }),
    })
  }
  return kind
}

const HINTS: Record<string, string> = {
  apiVersion: 'Say group and version, such as eventing.knative.dev/v1.',
  kind: 'Say what it is, such as Broker or Trigger.',
}

/** Of a group that it left (KNATIVE.md 1.10). */
function movedKind(apiVersion: string, name: string, report: Report): Kind | undefined {
  const kind = kinds.find((each) => each.formerly === apiVersion && each.kind === name)
  if (kind === undefined) return undefined
  report({
    severity: 'warning',
    code: 'SLUICE_RESOURCE_OLD_FORM',
    path: ['apiVersion'],
    message: `A ${name} is of ${apiVersionOf(kind.group, kind.versions[0]!)} today; that of ${apiVersion} was taken as one.`,
  })
  return kind
}

/** `broker` and `APIServerSource` stand in Knative's own documents (KNATIVE.md 5.1, 6). */
function respell(group: string, name: string, report: Report): Kind | undefined {
  const kind = kindsOf(group).find((known) => known.kind.toLowerCase() === name.toLowerCase())
  if (kind === undefined) return undefined
  report({
    severity: 'warning',
    code: 'SLUICE_RESOURCE_OLD_FORM',
    path: ['kind'],
    message: `The kind ${name} is spelled ${kind.kind}; it was taken as that.`,
  })
  return kind
}

/** An error where the group is one whose kinds are all known; elsewhere it is kept, for it may be anything. */
function unknownKind(group: string, name: string, report: Report): Kind | undefined {
  const known = kindsOf(group).map(({ kind }) => kind)
  const meant = nearest(name, known)
  if (meant !== undefined || OUR_GROUPS.has(group)) {
    const elsewhere = kinds.find(({ kind }) => kind === name)
    report({
      code: 'SLUICE_RESOURCE_UNKNOWN_KIND',
      path: ['kind'],
      message: `There is no kind ${show(name)} in ${group === '' ? 'v1' : group}.`,
      hint:
        meant !== undefined
          ? `Did you mean ${meant}?`
          : elsewhere !== undefined
            ? `A ${name} is of ${apiVersionOf(elsewhere.group, elsewhere.versions[0] ?? 'v1')}.`
            : (didYouMean(name, known) ?? `There are ${known.join(', ')}.`),
    })
    return undefined
  }
  const groupMeant = didYouMean(group, OUR_GROUPS)
  report({
    severity: 'warning',
    code: 'SLUICE_RESOURCE_UNKNOWN_GROUP',
    path: ['apiVersion'],
    message: `Nothing is known of ${show(name)} in ${show(group)}; it is kept and shown, but not acted on.`,
    ...(groupMeant !== undefined && { hint: groupMeant }),
  })
  return unknown(group, name)
}

/** Groups in which every kind is known: the core, Knative's and ours. */
const OUR_GROUPS: ReadonlySet<string> = new Set(
  kinds.map(({ group }) => group).filter((group) => group === '' || /(^|\.)(knative|sluice)\.dev$/.test(group)),
)

/** The form of a kind of which only the name is known. It is not remembered; that it is not run was told already. */
function unknown(group: string, kind: string): Kind {
  const plural = `${kind.toLowerCase()}s`
  return {
    group,
    kind,
    plural,
    singular: kind.toLowerCase(),
    shortNames: [],
    categories: [],
    namespaced: true,
    versions: [],
    description: `A ${kind} of ${group}.`,
    run: true,
    naming: 'path',
  }
}

/** The resource as a kind's own functions see it; nothing that a server writes is taken from a file. */
function draftOf(written: Record<string, unknown>, kind: Kind, report: Report): Draft | undefined {
  const { metadata, status: _status, ...body } = written
  if (!isRecord(metadata) || typeof metadata['name'] !== 'string') {
    reportName(metadata, written, report)
    return undefined
  }
  const { name, namespace } = metadata
  for (const field of Object.keys(body)) if (body[field] === null) delete body[field]
  dropEmpty(body['spec'])
  const [stored = versionOf(String(written['apiVersion']))] = kind.versions
  return {
    ...body,
    apiVersion: apiVersionOf(kind.group, stored),
    kind: kind.kind,
    metadata: {
      name,
      namespace: kind.namespaced ? (typeof namespace === 'string' && namespace !== '' ? namespace : 'default') : '',
      labels: stringsOf(metadata, 'labels'),
      annotations: stringsOf(metadata, 'annotations'),
    },
  }
}

function reportName(metadata: unknown, written: Record<string, unknown>, report: Report): void {
  const value = isRecord(metadata) ? metadata['name'] : undefined
  const strays = Object.keys(METADATA_SCHEMA.properties!).filter((field) => Object.hasOwn(written, field))
  const path = metadata === undefined ? [] : value === undefined ? ['metadata'] : ['metadata', 'name']
  const invalid = metadata !== undefined && (!isRecord(metadata) || value !== undefined)
  report({
    code: invalid ? 'SLUICE_RESOURCE_INVALID' : 'SLUICE_RESOURCE_MISSING_FIELD',
    path,
    at: invalid ? 'value' : 'key',
    message: invalid
      ? `invalid value: ${show(isRecord(metadata) ? value : metadata)}: ${isRecord(metadata) ? 'metadata.name' : 'metadata'}`
      : 'missing field(s): metadata.name',
    hint:
      strays.length > 0
        ? `${strays.join(' and ')} ${strays.length > 1 ? 'stand' : 'stands'} at the top: put ${strays.length > 1 ? 'them' : 'it'} under metadata.`
        : typeof value === 'number' || typeof value === 'boolean'
          ? 'It has to be text. Put it in quotes.'
          : typeof metadata === 'string'
            ? `It has to be a mapping, with name under it.${/\w:\S/.test(metadata) ? SPACE_AFTER_COLON : ''}`
            : isRecord(metadata) && metadata['generateName'] !== undefined
              ? 'generateName is not taken: a file needs names that stay.'
              : 'Give the resource a name.',
  })
}

/** `delivery:` with nothing behind it is no delivery, as in Kubernetes. Deeper in, nothing is an error. */
function dropEmpty(spec: unknown): void {
  if (!isRecord(spec)) return
  for (const field of Object.keys(spec)) if (spec[field] === null) delete spec[field]
}

/** Of the text values only; what else is there, the schema finds. */
function stringsOf(metadata: Record<string, unknown>, field: 'labels' | 'annotations'): Record<string, string> {
  const value = metadata[field]
  if (value === null) delete metadata[field]
  if (!isRecord(value)) return {}
  const entries = Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  return Object.fromEntries(entries)
}

/**
 * Makes the stored form of what was written, and asks the schema: that of the version, where it has a form of its own, and
 * else the stored one's. False where it can't be converted, for it isn't in the form of its version.
 */
function convert(
  draft: Draft,
  kind: Kind,
  { apiVersion, metadata }: Record<string, unknown>,
  findings: Finding[],
  report: Report,
): boolean {
  const version = versionOf(String(apiVersion))
  const isOwnForm = kind.forms?.[version] !== undefined
  if (isOwnForm) findings.push(...schemaFindings(kind, { ...draft, apiVersion, metadata }, version))
  if (isOwnForm && findings.some(({ severity }) => severity === 'error')) return false
  kind.convert?.(draft, version, report)
  if (!isOwnForm) findings.push(...schemaFindings(kind, { ...draft, metadata }))
  return true
}

/** The kind's own rules; what they find where the schema found something already is left out. */
function validate(draft: Draft, kind: Kind, findings: Finding[]): void {
  const bySchema = new Set(findings.map(({ path }) => path.join('\n')))
  kind.validate?.(draft, (finding) => {
    const severity = finding.severity ?? 'error'
    if (severity === 'warning' || !bySchema.has(finding.path.join('\n'))) findings.push({ ...finding, severity })
  })
}

function identityOf(draft: Draft, { group, kind }: Kind): Identity {
  const { name, namespace } = draft.metadata
  return { group, kind, namespace, name }
}

function resourceOf(draft: Draft, identity: Identity): Resource {
  const { apiVersion, kind, metadata, ...body } = draft
  const uid = resourceUid(identity)
  return {
    apiVersion,
    kind,
    metadata: { ...metadata, uid, generation: 0, resourceVersion: '', creationTimestamp: '' },
    ...body,
  }
}
