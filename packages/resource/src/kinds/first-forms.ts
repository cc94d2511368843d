// Channels and Subscriptions as the first releases of Knative had them, in eventing.knative.dev/v1alpha1 (KNATIVE.md 1.10):
// a Channel named a provisioner, a Subscription had `call` and `result`. In place, into the form of today.

import { KNOWN_CHANNELS } from '../channel-template.ts'
import { KAFKA_CHANNEL } from '../kafka-channel.ts'
import type { Draft, Kind, Report } from '../kind.ts'
import { NATS_CHANNEL } from '../nats-channel.ts'
import { PUBSUB_CHANNEL } from '../pubsub-channel.ts'
import { apiVersionOf, isRecord } from '../resource.ts'
import { show } from '../schema.ts'

/** The group and version that they had. */
export const FIRST_FORM = 'eventing.knative.dev/v1alpha1'

/** What provisioners of those days are today. */
const PROVISIONED: Readonly<Record<string, { apiVersion: string; kind: string }>> = {
  'in-memory-channel': { apiVersion: 'messaging.knative.dev/v1', kind: 'InMemoryChannel' },
  'in-memory': { apiVersion: 'messaging.knative.dev/v1', kind: 'InMemoryChannel' },
  natss: templateOf(NATS_CHANNEL),
  kafka: templateOf(KAFKA_CHANNEL),
  'gcp-pubsub': templateOf(PUBSUB_CHANNEL),
}

function templateOf({ group, versions, kind }: Kind): { apiVersion: string; kind: string } {
  return { apiVersion: apiVersionOf(group, versions[0]!), kind }
}

/** `provisioner` becomes a channel template; what its controllers wrote beside that is left out. */
export function convertFirstChannel({ spec }: Draft, version: string, report: Report): void {
  if (version !== 'v1alpha1' || !isRecord(spec)) return
  for (const written of ['generation', 'subscribable']) delete spec[written]
  const { provisioner, arguments: args, ...rest } = spec
  if (provisioner === undefined && args === undefined) return
  delete spec['provisioner']
  delete spec['arguments']
  const { NumPartitions: numPartitions, ReplicationFactor: replicationFactor, ...unknown } = isRecord(args) ? args : {}
  if (Object.keys(unknown).length > 0) {
    report({
      severity: 'warning',
      code: 'SLUICE_RESOURCE_NOT_ACTED_ON',
      path: ['spec', 'arguments'],
      at: 'key',
      message: `spec.arguments was for its provisioner, and ${Object.keys(unknown).join(', ')} is not acted on.`,
    })
  }
  if (provisioner === undefined || rest['channelTemplate'] !== undefined) return
  const name = isRecord(provisioner) ? provisioner['name'] : undefined
  const template = typeof name === 'string' && Object.hasOwn(PROVISIONED, name) ? PROVISIONED[name] : undefined
  if (template !== undefined) {
    const ofKafka = {
      ...(numPartitions !== undefined && { numPartitions }),
      ...(replicationFactor !== undefined && { replicationFactor }),
    }
    const hasSpec = template.kind === KAFKA_CHANNEL.kind && Object.keys(ofKafka).length > 0
    spec['channelTemplate'] = { ...template, ...(hasSpec && { spec: ofKafka }) }
    return
  }
  report({
    code: 'SLUICE_RESOURCE_INVALID',
    path: ['spec', 'provisioner', ...(typeof name === 'string' ? ['name'] : [])],
    message: `There is no provisioner ${show(name)} here: ${Object.keys(PROVISIONED).join(', ')} are taken.`,
    hint: `Take spec.provisioner out, or write a spec.channelTemplate instead. ${KNOWN_CHANNELS}`,
  })
}

/** `from`, `call` and `result` become `channel`, `subscriber` and `reply`. */
export function convertFirstSubscription({ spec }: Draft, version: string): void {
  if (version !== 'v1alpha1' || !isRecord(spec)) return
  delete spec['generation']
  move(spec, 'from', 'channel', (from) => from)
  move(spec, 'call', 'subscriber', (call) => {
    if (!isRecord(call)) return call
    const { target, targetRef = target, ...rest } = call
    return { ...rest, ...(targetRef !== undefined && { ref: targetRef }) }
  })
  move(spec, 'result', 'reply', (result) => (isRecord(result) ? { ref: result['target'] } : result))
}

function move(spec: Record<string, unknown>, from: string, to: string, make: (value: unknown) => unknown): void {
  if (spec[from] === undefined || spec[to] !== undefined) return
  spec[to] = make(spec[from])
  delete spec[from]
}
