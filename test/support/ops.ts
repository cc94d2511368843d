// What Sluice says of itself on its API listener.

import type { Resource } from '@sluice/resource'

/** Metrics, by `name{label="value",...}` as they are printed. */
export async function readMetrics(api: string): Promise<Map<string, number>> {
  const text = await (await fetch(`${api}/metrics`)).text()
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    samples.map((line) => {
      const space = line.lastIndexOf(' ')
      return [line.slice(0, space), Number(line.slice(space + 1))]
    }),
  )
}

/** Sum of all samples of a metric whose labels hold these. */
export async function readMetric(api: string, name: string, labels: Record<string, string> = {}): Promise<number> {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
  let sum = 0
  for (const [sample, value] of await readMetrics(api)) {
    if (sample !== name && !sample.startsWith(`${name}{`)) continue
    if (wanted.every((label) => sample.includes(label))) sum += value
  }
  return sum
}

/** Events stored so far by Broker default/default. */
export function acceptedEvents(api: string, broker = 'default'): Promise<number> {
  return readMetric(api, 'sluice_events_accepted_total', { broker })
}

/** Where the kinds are that run. */
const GROUPS = {
  brokers: 'eventing.knative.dev/v1',
  triggers: 'eventing.knative.dev/v1',
  channels: 'messaging.knative.dev/v1',
  subscriptions: 'messaging.knative.dev/v1',
  inmemorychannels: 'messaging.knative.dev/v1',
  logchannels: 'messaging.sluice.dev/v1alpha1',
} as const

/** One of namespace default, with its status. */
export async function readResource(api: string, plural: keyof typeof GROUPS, name: string): Promise<Resource> {
  const response = await fetch(`${api}/apis/${GROUPS[plural]}/namespaces/default/${plural}/${name}`)
  if (!response.ok) throw new Error(`${plural} ${name}: ${response.status} ${await response.text()}`)
  const resource: Resource = JSON.parse(await response.text())
  return resource
}

/** A condition, as `status reason` or `status` alone. */
export function conditionOf(resource: Resource, type: string): string | undefined {
  const found = resource.status?.conditions?.find((condition) => condition.type === type)
  return found && [found.status, found.reason].filter(Boolean).join(' ')
}

/** Resolves once no subscription has anything left to deliver. */
export async function settled(api: string): Promise<void> {
  while ((await readMetric(api, 'sluice_subscription_lag_events')) > 0);
}
