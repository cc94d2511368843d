// Where objects are reached that have no address of their own here, such as Services of Knative: Knative's ConfigMap
// config-kreference-mapping, whose keys are kinds and whose values templates of URLs (KNATIVE.md 1.11).
//
//     data:
//       Service.v1.serving.knative.dev: http://{{ .Name }}.{{ .Namespace }}.example.com

import type { Draft, Report } from './kind.ts'
import { groupOf, isRecord, versionOf, type Identity, type Resource } from './resource.ts'

const SYSTEM_NAMESPACE = 'knative-eventing'
/** Where it stands. */
export const REFERENCE_MAPPING: Identity = {
  group: '',
  kind: 'ConfigMap',
  namespace: SYSTEM_NAMESPACE,
  name: 'config-kreference-mapping',
}

/** What a reference points at. */
export interface MappedReference {
  readonly apiVersion: string
  readonly kind: string
  readonly namespace: string
  readonly name: string
}

/** The URL that it says; `undefined`: it says nothing of that kind. `mapping`: {@link REFERENCE_MAPPING}, where that is there. */
export function mappedUrl(
  reference: MappedReference,
  mapping: Resource | undefined,
  uid: string = '',
): string | undefined {
  const data = mapping?.['data']
  if (!isRecord(data)) return undefined
  const { apiVersion, kind } = reference
  const key = `${kind}.${versionOf(apiVersion)}.${groupOf(apiVersion)}`
  const template = data[key] ?? data[key.replace(/\.$/, '')] // the core group has no name
  return typeof template === 'string' ? filled(template.trim(), reference, uid) : undefined
}

function filled(
  template: string,
  { namespace, name }: Pick<MappedReference, 'namespace' | 'name'>,
  uid: string,
): string {
  const values: Record<string, string> = {
    Name: name,
    Namespace: namespace,
    UID: uid,
    SystemNamespace: SYSTEM_NAMESPACE,
  }
  return template.replaceAll(VARIABLE, (text, variable: string) => values[variable] ?? text)
}

const VARIABLE = /\{\{-?\s*\.(\w+)\s*-?\}\}/g
/** Knative's ConfigMaps hold one to show how it is done. */
const EXAMPLE = '_example'
const SAMPLE = { namespace: 'namespace', name: 'name' }

/** Reports what is wrong with it. */
export function checkReferenceMapping({ metadata, data }: Draft, report: Report): void {
  if (metadata.name !== REFERENCE_MAPPING.name || !isRecord(data)) return
  for (const [key, template] of Object.entries(data)) {
    if (key === EXAMPLE || typeof template !== 'string') continue
    const path = ['data', key]
    if (!/^[A-Z]\w*\.v\d\w*(\.[a-z0-9.-]*)?$/.test(key)) {
      const hint = 'It has to be KIND.VERSION.GROUP, such as Service.v1.serving.knative.dev.'
      report({
        code: 'SLUICE_RESOURCE_INVALID',
        path,
        at: 'key',
        message: `${JSON.stringify(key)} names no kind.`,
        hint,
      })
      continue
    }
    const url = filled(template.trim(), SAMPLE, 'uid')
    if (/^https?:\/\/[^/?#]/.test(url) && URL.canParse(url) && !/[{}]/.test(url)) continue
    report({
      code: 'SLUICE_RESOURCE_INVALID',
      path,
      message: `The template of ${key} makes no URL.`,
      hint: 'It has to be such as http://{{ .Name }}.{{ .Namespace }}.example.com; known are .Name, .Namespace, .UID and .SystemNamespace.',
    })
  }
}
