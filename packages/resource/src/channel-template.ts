// Templates of channels. Of a Broker: a text in YAML under `channel-template-spec` of a ConfigMap, or as Knative had it
// before, `channelTemplateSpec` (KNATIVE.md 1.1); what is wrong with it is told at its place in that text. Of a Channel: the
// object in its spec, or by default what the ConfigMap default-ch-webhook says (KNATIVE.md 1.2).

import type { Draft, Kind, Report } from './kind.ts'
import { checkLogBounds, LOG_CHANNEL, LOG_PROPERTIES, logChannelLimits, type LogChannelLimits } from './log-bounds.ts'
import { KAFKA_CHANNEL, kafkaTemplate, type KafkaSettings } from './kafka-channel.ts'
import { NATS_CHANNEL, natsTemplate, type NatsSettings } from './nats-channel.ts'
import { PUBSUB_CHANNEL } from './pubsub-channel.ts'
import { apiVersionOf, groupOf, isRecord } from './resource.ts'
import { schemaFindings, show } from './schema.ts'
import { readDocuments } from './yaml.ts'

/** What a template asks for. */
export type TemplateChannel =
  | { readonly kind: 'LogChannel'; readonly limits: LogChannelLimits }
  | { readonly kind: 'InMemoryChannel' }
  | ({ readonly kind: 'NatsJetStreamChannel' } & Pick<NatsSettings, 'stream' | 'ackWaitMs'>)
  | ({ readonly kind: 'KafkaChannel' } & Pick<KafkaSettings, 'topic'>)
  | { readonly kind: 'PubsubChannel' }
  /** What can't be had. `why`: what is wrong, and what to do. */
  | { readonly kind: 'none'; readonly why: string }

/** Where a template stands. */
export const TEMPLATE_KEY = 'channel-template-spec'
const KEYS: readonly string[] = [TEMPLATE_KEY, 'channelTemplateSpec']
const IN_MEMORY = { group: 'messaging.knative.dev', kind: 'InMemoryChannel' }
const LOG: Kind = {
  ...LOG_CHANNEL,
  fields: { spec: { type: 'object', additionalProperties: false, properties: LOG_PROPERTIES } },
}
/** What a template may ask for, in words. */
export const KNOWN_CHANNELS: string =
  `Known are ${LOG.kind} of ${apiVersionOf(LOG.group, 'v1alpha1')}, on disk, ` +
  `${IN_MEMORY.kind} of ${apiVersionOf(IN_MEMORY.group, 'v1')}, gone with the process, ` +
  `${NATS_CHANNEL.kind} of ${apiVersionOf(NATS_CHANNEL.group, 'v1alpha1')}, at a NATS server, ` +
  `${KAFKA_CHANNEL.kind} of ${apiVersionOf(KAFKA_CHANNEL.group, 'v1')}, at a Kafka server, and ` +
  `${PUBSUB_CHANNEL.kind} of ${apiVersionOf(PUBSUB_CHANNEL.group, 'v1beta1')}, at Google Pub/Sub.`

/** Of a ConfigMap: its template, and the key under which it stands. */
export function templateIn({ data }: { readonly [field: string]: unknown }): { key: string; text: string } | undefined {
  if (!isRecord(data)) return undefined
  for (const key of KEYS) {
    const text = data[key]
    if (typeof text === 'string') return { key, text }
  }
  return undefined
}

/** What the template of the ConfigMap `title` asks for. It was checked when that was. */
export function channelIn(text: string, title: string): TemplateChannel {
  const template = [...readDocuments(text)][0]?.value
  if (!isRecord(template)) return { kind: 'none', why: `The ${TEMPLATE_KEY} of ${title} is no template of a channel.` }
  return channelOf(template, title)
}

/** What a template asks for, that is an object, of `title`. It was checked when that was. */
export function channelOf(template: Readonly<Record<string, unknown>>, title: string): TemplateChannel {
  if (isKind(template, IN_MEMORY)) return { kind: 'InMemoryChannel' }
  const { apiVersion, kind, spec } = template
  if (isKind(template, LOG)) {
    return { kind: 'LogChannel', limits: logChannelLimits(isRecord(spec) ? spec : undefined) }
  }
  if (isKind(template, NATS_CHANNEL)) return { kind: 'NatsJetStreamChannel', ...natsTemplate(spec) }
  if (isKind(template, KAFKA_CHANNEL)) return { kind: 'KafkaChannel', ...kafkaTemplate(spec) }
  if (isKind(template, PUBSUB_CHANNEL)) return { kind: 'PubsubChannel' }
  const asked = `a ${show(kind)} of ${show(apiVersion)}`
  return { kind: 'none', why: `${title} asks for ${asked}, which this version doesn't have. ${KNOWN_CHANNELS}` }
}

function isKind(
  { apiVersion, kind }: Readonly<Record<string, unknown>>,
  wanted: { group: string; kind: string },
): boolean {
  return kind === wanted.kind && typeof apiVersion === 'string' && groupOf(apiVersion) === wanted.group
}

/** Reports what is wrong with the channel template of a ConfigMap, at its place in the text, where it has one. */
export function checkTemplate(configMap: Draft, report: Report): void {
  const found = templateIn(configMap)
  if (found === undefined) return
  const path = ['data', found.key]
  const documents = [...readDocuments(found.text)]
  const faults = documents.flatMap((document) => document.faults)
  for (const fault of faults) report({ path, ...fault })
  const [template] = documents
  if (faults.length > 0) return
  if (documents.length !== 1 || !isRecord(template?.value) || typeof template.value['kind'] !== 'string') {
    const message = `${found.key} has to be one mapping with apiVersion, kind and spec, as text.`
    return report({ code: 'SLUICE_RESOURCE_INVALID', path, message, hint: KNOWN_CHANNELS })
  }
  checkTemplateObject(template.value, 'Broker', (finding) => {
    const offset = template.locate(finding.path, finding.at ?? 'value')
    report({ ...finding, path, at: 'value', offset, message: `in ${found.key}: ${finding.message}` })
  })
}

/** Reports what is wrong with a template that is an object, of a Broker or a Channel, by paths inside of it. */
export function checkTemplateObject(
  template: Record<string, unknown>,
  owner: 'Broker' | 'Channel',
  report: Report,
): void {
  const { apiVersion, kind } = template
  if (typeof apiVersion !== 'string' || typeof kind !== 'string') return // the schema says so
  if (isKind(template, LOG)) return checkLog(template, report)
  if (isKind(template, NATS_CHANNEL)) return checkSchema(NATS_CHANNEL, template, report)
  if (isKind(template, KAFKA_CHANNEL)) return checkSchema(KAFKA_CHANNEL, template, report)
  if (isKind(template, PUBSUB_CHANNEL)) return checkSchema(PUBSUB_CHANNEL, template, report)
  if (isKind(template, IN_MEMORY)) return warnOfSettings(template['spec'], owner, report)
  const whose = owner === 'Broker' ? 'a Broker that names it' : 'the Channel'
  report({
    severity: 'warning',
    code: 'SLUICE_RESOURCE_NOT_RUN',
    path: ['kind'],
    message: `${show(kind)} of ${show(apiVersion)} is no channel of this version, so ${whose} will not be Ready.`,
    hint: KNOWN_CHANNELS,
  })
}

function checkSchema(kind: Kind, template: Record<string, unknown>, report: Report): void {
  const versions: readonly string[] = kind.versions
  const isServed = versions.some((version) => template['apiVersion'] === apiVersionOf(kind.group, version))
  // Their specs are the same in every version.
  const apiVersion = isServed ? apiVersionOf(kind.group, versions[0]!) : template['apiVersion']
  for (const finding of schemaFindings(kind, { ...template, apiVersion, metadata: NO_METADATA })) report(finding)
}

function checkLog(template: Record<string, unknown>, report: Report): void {
  const draft = { ...template, metadata: NO_METADATA } as unknown as Draft
  checkSchema(LOG, template, report)
  checkLogBounds(draft, report)
}

const NO_METADATA = { name: 'template' }

/** Delivery, for one: triggers and channels have their own. */
function warnOfSettings(spec: unknown, owner: 'Broker' | 'Channel', report: Report): void {
  if (!isRecord(spec) || Object.keys(spec).length === 0) return
  const where = owner === 'Broker' ? 'the Broker and its Triggers' : 'the Channel and its Subscriptions'
  report({
    severity: 'warning',
    code: 'SLUICE_RESOURCE_NOT_ACTED_ON',
    path: ['spec'],
    at: 'key',
    message: `The spec of an ${IN_MEMORY.kind} is not acted on by this version.`,
    hint: `Its bound is --memory-bytes; how events are delivered stands in ${where}.`,
  })
}
