// What things are called at the server: as Knative calls them, so that its users find theirs (KNATIVE.md 1.6).

/** A topic, and the groups that read it. */
export interface TopicNames {
  readonly topic: string
  /** Heads the names of its groups, and perhaps those of others. */
  readonly groupPrefix: string
  /** The group of a subscription. `name`: what people call it. */
  groupOf(id: string, name: string | undefined): string
}

/** Of a Broker of class `Kafka`. `topic`: another one that it is to use. */
export function brokerNames(
  namespace: string,
  name: string,
  topic: string = `knative-broker-${namespace}-${name}`,
): TopicNames {
  const groupPrefix = `knative-trigger-${namespace}-`
  return { topic, groupPrefix, groupOf: (id, called = id) => groupPrefix + called }
}

/** Of a KafkaChannel, a Broker's too. */
export function channelNames(namespace: string, name: string): TopicNames {
  const groupPrefix = `kafka.${namespace}.${name}.`
  return { topic: `knative-messaging-kafka.${namespace}.${name}`, groupPrefix, groupOf: (id) => groupPrefix + id }
}
