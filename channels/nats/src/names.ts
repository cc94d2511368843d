// What things are called at the server: as Knative calls them, so that its users find theirs (KNATIVE.md 1.7).

/** A stream, and the subjects that it takes. */
export interface StreamNames {
  readonly stream: string
  readonly subjects: readonly string[]
  /** Where an event of this type is published. */
  subjectOf(type: string): string
  /** Heads the names of its consumers. */
  readonly consumerPrefix: string
}

/** Of a Broker of class `NatsJetStreamBroker`: its events lie under subjects of their types. */
export function brokerNames(namespace: string, name: string): StreamNames {
  const base = `${namespace}.${name}._knative_broker`
  return {
    stream: streamName('KN_BROKER', namespace, name),
    subjects: [`${base}.>`],
    subjectOf: (type) => `${base}.${typeTokens(type)}`,
    consumerPrefix: 'KN_TRIGGER_',
  }
}

/** Of a NatsJetStreamChannel, a Broker's too: one subject for all. */
export function channelNames(namespace: string, name: string): StreamNames {
  const subject = `${namespace}.${name}._knative`
  return {
    stream: streamName('KN', namespace, name),
    subjects: [subject],
    subjectOf: () => subject,
    consumerPrefix: 'KN_SUB_',
  }
}

/** Of a subscription: its id, in letters, digits and `_`; a trigger's uid without its hyphens, as Knative has it. */
export function consumerName(prefix: string, id: string): string {
  if (UUID.test(id)) return prefix + id.replaceAll('-', '').toUpperCase()
  return prefix + id.replace(/[^A-Za-z0-9]/g, (unit) => `_${unit.charCodeAt(0).toString(16)}_`)
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

function streamName(prefix: string, namespace: string, name: string): string {
  return `${prefix}_${namespace}__${name}`.replace(/[-.]/g, '_').toUpperCase()
}

/** A type may hold any character, and a subject may not: what it can't hold is `_`. Nobody reads the type from there. */
function typeTokens(type: string): string {
  const tokens = type.slice(0, TYPE_LENGTH_MAX).split('.')
  return tokens.map((token) => token.replace(/[^A-Za-z0-9_-]/g, '_') || '_').join('.')
}

const TYPE_LENGTH_MAX = 200
