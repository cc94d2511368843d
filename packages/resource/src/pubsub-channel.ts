// Google Pub/Sub as people's files have it (KNATIVE.md 1.8): a Broker of class googlecloud, and the template of a Channel of
// Google Cloud. Where the service is, and who asks, stands in a Secret and in the environment, as for every program of
// Google Cloud (controller/src/pubsub-access.ts).

import type { Kind } from './kind.ts'

/** What a Pub/Sub channel is opened with. */
export interface PubsubSettings {
  /** Whose names it has: those of a Broker of class googlecloud, or those of a channel. */
  readonly names: 'broker' | 'channel'
}

/** The class of a Broker that has a topic of its own. */
export const PUBSUB_BROKER_CLASS = 'googlecloud'

/** The kind, as far as templates know it. */
export const PUBSUB_CHANNEL: Kind = {
  group: 'messaging.cloud.google.com',
  kind: 'Channel',
  plural: 'channels',
  singular: 'channel',
  shortNames: [],
  categories: ['all', 'knative', 'messaging', 'channel'],
  namespaced: true,
  versions: ['v1beta1'],
  description: 'A Channel of Google Cloud keeps its events in a topic of Google Pub/Sub.',
  run: true,
  naming: 'subdomain',
  fields: {
    spec: { type: 'object', description: 'There is nothing to say.', additionalProperties: false, properties: {} },
  },
}
