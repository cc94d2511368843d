// What Knative's ConfigMap config-br-defaults says of Brokers that don't say it themselves: where their channel stands, and
// how their events are delivered; of a namespace, of a class, or of all (KNATIVE.md 1.1). Knative writes that into a Broker as
// it is made; here it is looked up whenever it counts, so that a change of it holds for all that say nothing else.
//
//     data:
//       default-br-config: |
//         clusterDefault: {brokerClass: MTChannelBasedBroker, apiVersion: v1, kind: ConfigMap, name: ..., delivery: {...}}
//         namespaceDefaults: {NAMESPACE: {...}}

import { checkDelivery, defaultDelivery, DELIVERY_SCHEMA, REFERENCE_SCHEMA, type DeliverySpec } from './ducks.ts'
import type { Draft, JsonSchema, Kind, Report } from './kind.ts'
import type { Path } from './problem.ts'
import { groupOf, isRecord, type Identity, type Resource } from './resource.ts'
import { schemaFindings } from './schema.ts'
import { readDocuments } from './yaml.ts'

/** What holds for a Broker that doesn't say it itself. */
export interface BrokerDefaults {
  /** The ConfigMap that its channel stands in. */
  readonly config?: Identity
  readonly delivery?: DeliverySpec
}

/** Knative's namespace. */
const NAMESPACE = 'knative-eventing'
/** Where it stands. */
export const BROKER_DEFAULTS: Identity = {
  group: '',
  kind: 'ConfigMap',
  namespace: NAMESPACE,
  name: 'config-br-defaults',
}
const KEY = 'default-br-config'

/** Of the Brokers of this class in this namespace. `configMap`: {@link BROKER_DEFAULTS}, which was checked when it came. */
export function brokerDefaults(
  { namespace, brokerClass }: { namespace: string; brokerClass: string },
  configMap: Resource | undefined,
): BrokerDefaults {
  const { clusterDefault, namespaceDefaults } = configMap === undefined ? {} : defaultsIn(configMap)
  const own = namespaceDefaults?.[namespace]
  const chosen = ofClass(own, brokerClass) ?? ofClass(clusterDefault, brokerClass)
  if (chosen === undefined) return {}
  const { kind, name, apiVersion = '', namespace: where = namespace, delivery } = chosen
  const hasConfig = kind !== undefined && name !== undefined
  const written = structuredClone(delivery)
  defaultDelivery(written, namespace)
  return {
    ...(hasConfig && { config: { group: groupOf(apiVersion), kind, namespace: where, name } }),
    ...(written !== undefined && Object.keys(written).length > 0 && { delivery: written }),
  }
}

/** Of one class, or of the class that is the default. */
interface ClassDefault {
  readonly apiVersion?: string
  readonly kind?: string
  readonly name?: string
  readonly namespace?: string
  readonly delivery?: DeliverySpec
}

interface Default extends ClassDefault {
  readonly brokerClass?: string
  readonly brokerClasses?: Readonly<Record<string, ClassDefault>>
}

interface Defaults {
  readonly clusterDefault?: Default
  readonly namespaceDefaults?: Readonly<Record<string, Default>>
}

/** What stands beside another class is that one's. */
function ofClass(defaults: Default | undefined, brokerClass: string): ClassDefault | undefined {
  if (defaults === undefined) return undefined
  const own = defaults.brokerClasses?.[brokerClass]
  const isItsOwn = (defaults.brokerClass ?? brokerClass) === brokerClass
  return own ?? (isItsOwn ? defaults : undefined)
}

const parsed = new WeakMap<Resource, Defaults>()

/** Ten thousand triggers ask. */
function defaultsIn(configMap: Resource): Defaults {
  let defaults = parsed.get(configMap)
  if (defaults === undefined) {
    const text = textOf(configMap)
    const value: unknown = text === undefined ? undefined : [...readDocuments(text)][0]?.value
    parsed.set(configMap, (defaults = isRecord(value) ? value : {})) // checked when it came, see below
  }
  return defaults
}

function textOf({ data }: { readonly [field: string]: unknown }): string | undefined {
  const text = isRecord(data) ? data[KEY] : undefined
  return typeof text === 'string' ? text : undefined
}

// --- Checking it ---

const CLASS_SCHEMA: Readonly<Record<string, JsonSchema>> = {
  ...REFERENCE_SCHEMA.properties,
  delivery: DELIVERY_SCHEMA,
}
const DEFAULT_SCHEMA: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    ...CLASS_SCHEMA,
    brokerClass: { type: 'string' },
    brokerClasses: {
      type: 'object',
      additionalProperties: { type: 'object', additionalProperties: false, properties: CLASS_SCHEMA },
    },
    disallowDifferentNamespaceConfig: { type: 'boolean' },
  },
}
/** The text, as if it were a kind. */
const TEXT: Kind = {
  group: '',
  kind: 'BrokerDefaults',
  plural: '',
  singular: '',
  shortNames: [],
  categories: [],
  namespaced: false,
  versions: ['v1'],
  description: '',
  run: true,
  naming: 'path',
  fields: {
    clusterDefault: DEFAULT_SCHEMA,
    namespaceDefaults: { type: 'object', additionalProperties: DEFAULT_SCHEMA },
  },
}

/** Reports what is wrong with it, at its place in the text. `known`: the classes that there are. */
export function checkBrokerDefaults(configMap: Draft, known: readonly string[], report: Report): void {
  const text = textOf(configMap)
  if (configMap.metadata.name !== BROKER_DEFAULTS.name || text === undefined) return
  const path = ['data', KEY]
  const [document, ...more] = readDocuments(text)
  for (const fault of document?.faults ?? []) report({ path, ...fault })
  if (document === undefined || document.faults.length > 0 || document.value === null) return
  const { value } = document
  if (!isRecord(value) || more.length > 0) {
    const message = `${KEY} has to be one mapping with clusterDefault and namespaceDefaults, as text.`
    return report({ code: 'SLUICE_RESOURCE_INVALID', path, message })
  }
  const placed: Report = (finding) => {
    const offset = document.locate(finding.path, finding.at ?? 'value')
    report({ ...finding, path, at: 'value', offset, message: `in ${KEY}: ${finding.message}` })
  }
  const whole = { ...value, apiVersion: 'v1', kind: TEXT.kind, metadata: { name: TEXT.kind } }
  const findings = schemaFindings(TEXT, whole)
  for (const finding of findings) placed(finding)
  if (findings.length > 0) return
  const { clusterDefault, namespaceDefaults = {} }: Defaults = value
  checkDefault(clusterDefault, ['clusterDefault'], known, placed)
  for (const [namespace, each] of Object.entries(namespaceDefaults)) {
    checkDefault(each, ['namespaceDefaults', namespace], known, placed)
  }
}

function checkDefault(written: Default | undefined, path: Path, known: readonly string[], report: Report): void {
  if (written === undefined) return
  const { brokerClass, brokerClasses = {}, delivery } = written
  checkDelivery(delivery, [...path, 'delivery'], report)
  for (const [name, each] of Object.entries(brokerClasses)) {
    checkDelivery(each.delivery, [...path, 'brokerClasses', name, 'delivery'], report)
  }
  if (brokerClass === undefined || brokerClass === known[0]) return
  const isKnown = known.includes(brokerClass)
  report({
    severity: 'warning',
    code: 'SLUICE_RESOURCE_NOT_ACTED_ON',
    path: [...path, 'brokerClass'],
    message: `A Broker without a class is a ${known[0]} here, whatever stands there.`,
    hint: isKnown
      ? `Write eventing.knative.dev/broker.class: ${brokerClass} into the annotations of the Brokers that are to be one.`
      : `There is no class ${brokerClass} here; what stands beside it is not acted on.`,
  })
}
