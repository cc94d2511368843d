export { admit, type Admission } from './admit.ts'
export { AGE, valueAt } from './columns.ts'
export { parseResource, type Parsed } from './body.ts'
export { brokerChannel, channelConfigsOf, deliveryOf, ownChannel, type BrokerChannel } from './broker-channel.ts'
export { BROKER_DEFAULTS } from './broker-defaults.ts'
export { conditions, readyCondition, type Condition, type ConditionTypes, type Mark } from './conditions.ts'
export { CLUSTER_SUFFIX, resolveDestination, type Resolved, type ResolveOptions } from './destination.ts'
export type { DeliverySpec, Destination, KReference } from './ducks.ts'
export type { AnnotationRule, Column, Draft, Form, JsonSchema, Kind, Reference, Report } from './kind.ts'
export {
  broker as brokerKind,
  BROKER_CLASS,
  BROKER_CLASS_DEFAULT,
  isBroker,
  type Broker,
  type BrokerSpec,
  WHEN_FULL,
} from './kinds/broker.ts'
export { attributeValue, eventType as eventTypeKind, isEventType, type EventType } from './kinds/event-type.ts'
export { SCHEMA_DATA, type EventTypeAttribute, type EventTypeSpec } from './kinds/event-type-forms.ts'
export { advisers, type Adviser } from './event-type-advice.ts'
export { compileSchema, type CompiledSchema, type SchemaFault } from './event-schema.ts'
export { valueTemplate, type ValueTemplate } from './value-template.ts'
export { findKind, kindByName, kinds } from './kinds/index.ts'
export { ingressSettings, TOKEN_SECRET, type IngressSettings } from './kinds/ingress-annotations.ts'
export { logChannel as logChannelKind } from './kinds/log-channel.ts'
export {
  channel as channelKind,
  inMemoryChannel as inMemoryChannelKind,
  isChannel,
  isChannelKind,
  type ChannelResource,
  type ChannelSpec,
} from './kinds/channel.ts'
export {
  isSubscription,
  subscription as subscriptionKind,
  type Subscription,
  type SubscriptionSpec,
} from './kinds/subscription.ts'
export type { KafkaSettings } from './kafka-channel.ts'
export type { PubsubSettings } from './pubsub-channel.ts'
export type { NatsSettings } from './nats-channel.ts'
export type { LogChannelLimits } from './log-bounds.ts'
export { WEBHOOK_PRESETS } from './kinds/webhook-source.ts'
export { addForeignKinds, type ForeignKind } from './foreign-kinds.ts'
export type { SourceSpec } from './source-spec.ts'
export {
  receiverSettings,
  SECRET_ORIGIN_KEY,
  SECRET_TYPES,
  type ReceiverSettings,
} from './kinds/receiver-annotations.ts'
export { triggerSettings, type TriggerSettings } from './kinds/trigger-annotations.ts'
export { isTrigger, trigger as triggerKind, type Trigger, type TriggerSpec } from './kinds/trigger.ts'
export { didYouMean } from './nearest.ts'
export { loadFiles, type FileText, type Loaded, type LoadLimits } from './load.ts'
export { formatProblems, pathText, toldAs, type Finding, type Path, type Problem, type Severity } from './problem.ts'
export {
  apiVersionOf,
  groupOf,
  isRecord,
  identityOf,
  keyOf,
  nameOf,
  resourceKey,
  resourceUid,
  versionOf,
  type Declared,
  type Identity,
  type Metadata,
  type Origin,
  type Resource,
  type Status,
} from './resource.ts'
export { rereader, type Reading, type Rereader } from './reread.ts'
export { jsonSchema, jsonSchemaOf } from './schema.ts'
export { watchFiles, type FileWatch, type WatchOptions } from './watch.ts'
export { resourceFolder, type ResourceFolder } from './folder.ts'
export type { ResourceEvent } from './history.ts'
export {
  resourceStore,
  type Applied,
  type ApplyOptions,
  type Change,
  type Changes,
  type Previewed,
  type ResourceStore,
  type StoreOptions,
} from './store.ts'
export {
  API_SOURCE,
  resourceWriter,
  type Decide,
  type ResourceWriter,
  type WriteOptions,
  type Written,
} from './writer.ts'
export { YAML_LIMITS, type YamlLimits } from './yaml-limits.ts'
