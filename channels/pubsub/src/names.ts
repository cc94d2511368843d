// What things are called at the server: as Knative's Google Cloud brokers and channels call them (KNATIVE.md 1.8).

/** A topic, and the subscriptions to it. */
export interface TopicNames {
  readonly topic: string
  /** Heads the names of its subscriptions. */
  readonly subscriptionPrefix: string
  /** The subscription of a trigger. `name`: what people call it. */
  subscriptionOf(id: string, name: string | undefined): string
}

/** The service's longest name. */
const NAME_MAX = 255

/** Of a Broker of class `googlecloud`. */
export function brokerNames(namespace: string, name: string, uid: string): TopicNames {
  return names('cre-bkr', 'cre-tgr', namespace, name, uid)
}

/** Of a Channel. */
export function channelNames(namespace: string, name: string, uid: string): TopicNames {
  return names('cre-ch', 'cre-sub', namespace, name, uid)
}

function names(topic: string, subscription: string, namespace: string, name: string, uid: string): TopicNames {
  const subscriptionPrefix = `${subscription}_${namespace}_`
  return {
    topic: nameOf(`${topic}_${namespace}_`, name, uid),
    subscriptionPrefix,
    subscriptionOf: (id, called = '') => nameOf(subscriptionPrefix, called, id),
  }
}

/** What is too long is cut in the middle: the id tells it from all others. */
function nameOf(prefix: string, called: string, id: string): string {
  return `${prefix}${called.slice(0, NAME_MAX - prefix.length - id.length - 1)}_${id}`
}

/** The subscription's id in its name. */
export function idOf(subscription: string): string {
  return subscription.slice(subscription.lastIndexOf('_') + 1)
}
