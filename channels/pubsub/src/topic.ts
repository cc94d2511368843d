// The topic and its subscriptions at the server: made where there is none.
//
// From: open.ts and watch.ts. Next: the server.

import { ALREADY_EXISTS, codeOf, NOT_FOUND, ONCE, type Clients } from './client.ts'

/** Of a topic that has to be made; what is absent is the service's default. */
export interface TopicSettings {
  readonly labels?: Readonly<Record<string, string>>
}

/** What a subscription has not acknowledged for so long is gone. */
const RETENTION_S = 7 * 24 * 3600

export async function ensureTopic({ publisher }: Clients, topic: string, settings: TopicSettings): Promise<void> {
  try {
    await publisher.createTopic({ name: topic, labels: { ...settings.labels } }, ONCE)
  } catch (error) {
    if (codeOf(error) !== ALREADY_EXISTS) throw error
  }
}

/** Whether it is there. */
export async function hasTopic({ publisher }: Clients, topic: string): Promise<boolean> {
  try {
    await publisher.getTopic({ topic }, ONCE)
    return true
  } catch (error) {
    if (codeOf(error) === NOT_FOUND) return false
    throw error
  }
}

/**
 * It begins with what is published from now on, where there is none, and never expires. One whose topic was deleted holds
 * nothing that could still come, and is made anew.
 */
export async function ensureSubscription(
  clients: Clients,
  name: string,
  topic: string,
  { isOrdered, ackDeadlineS }: { readonly isOrdered: boolean; readonly ackDeadlineS: number },
): Promise<void> {
  try {
    const [found] = await clients.subscriber.getSubscription({ subscription: name }, ONCE)
    if (found.topic === topic) return
    await deleteSubscription(clients, name)
  } catch (error) {
    if (codeOf(error) !== NOT_FOUND) throw error
  }
  try {
    await clients.subscriber.createSubscription(
      {
        name,
        topic,
        enableMessageOrdering: isOrdered,
        ackDeadlineSeconds: ackDeadlineS,
        messageRetentionDuration: { seconds: RETENTION_S },
        expirationPolicy: {}, // never
      },
      ONCE,
    )
  } catch (error) {
    if (codeOf(error) !== ALREADY_EXISTS) throw error
  }
}

/** Returns whether there was one. */
export async function deleteSubscription({ subscriber }: Clients, name: string): Promise<boolean> {
  try {
    await subscriber.deleteSubscription({ subscription: name }, ONCE)
    return true
  } catch (error) {
    if (codeOf(error) === NOT_FOUND) return false
    throw error
  }
}

/** The last parts of the names of all subscriptions to the topic. */
export async function listSubscriptions({ publisher }: Clients, topic: string): Promise<string[]> {
  const [names] = await publisher.listTopicSubscriptions({ topic }, ONCE)
  return names.map((name) => name.slice(name.lastIndexOf('/') + 1))
}
