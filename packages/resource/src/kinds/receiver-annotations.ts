// The annotations that say how a receiver is spoken to: the Secrets that it is shown, and whether it is asked for its consent.
// Secrets are of the resource's own namespace; of which sort a credential is, its type says (SECRET_TYPES).

import type { AnnotationRule, Draft, Reference, Report } from '../kind.ts'
import type { Resource } from '../resource.ts'
import { isDnsName, isSecretName, listOf } from './ingress-annotations.ts'

/** What the annotations of a Trigger, a Subscription, a Broker or a channel ask for; absent where they say nothing. */
export interface ReceiverSettings {
  /** Names of Secrets that the subscriber is shown. */
  readonly credentials?: readonly string[]
  /** Name of the Secret whose values its events are signed with. */
  readonly signing?: string
  /** Names of Secrets that the dead-letter sink is shown. */
  readonly deadLetterCredentials?: readonly string[]
  /** Names of Secrets that the destination of replies is shown. */
  readonly replyCredentials?: readonly string[]
  /** Whether the subscriber is asked for its consent (CloudEvents WebHook 4). Default `off`. */
  readonly handshake: 'off' | 'prefer' | 'require'
  /** Who it is asked for consent by: a DNS name. */
  readonly webhookOrigin?: string
}

/** `sluice.dev/credentials-secret` */
export const CREDENTIALS = 'sluice.dev/credentials-secret'
/** `sluice.dev/signing-secret` */
export const SIGNING = 'sluice.dev/signing-secret'
/** `sluice.dev/dead-letter-credentials-secret` */
export const DEAD_LETTER_CREDENTIALS = 'sluice.dev/dead-letter-credentials-secret'
/** `sluice.dev/reply-credentials-secret` */
export const REPLY_CREDENTIALS = 'sluice.dev/reply-credentials-secret'
const HANDSHAKE = 'sluice.dev/webhook-handshake'
const ORIGIN = 'sluice.dev/webhook-origin'

/** Types of Secrets that hold a credential, and their keys: those that have to be there, and those that may be. */
export const SECRET_TYPES: Readonly<
  Record<string, { readonly keys: readonly string[]; readonly optional: readonly string[] }>
> = {
  'sluice.dev/bearer': { keys: ['token'], optional: [] },
  'kubernetes.io/basic-auth': { keys: ['username', 'password'], optional: [] },
  'sluice.dev/header': { keys: ['name', 'value'], optional: [] },
  'sluice.dev/oauth2': {
    keys: ['tokenUrl', 'clientId', 'clientSecret'],
    optional: ['scope', 'audience', 'authMethod', 'ca.crt'],
  },
  'kubernetes.io/tls': { keys: ['tls.crt', 'tls.key'], optional: [] },
}
/** A key of each of them: the one origin that it may be shown to. */
export const SECRET_ORIGIN_KEY = 'origin'

/** Settings of one that is stored, so that its annotations were checked. */
export function receiverSettings({ metadata: { annotations } }: Resource): ReceiverSettings {
  const signing = annotations[SIGNING]
  const origin = annotations[ORIGIN]
  const handshake = annotations[HANDSHAKE]
  return {
    ...namesIn(annotations, CREDENTIALS, 'credentials'),
    ...namesIn(annotations, DEAD_LETTER_CREDENTIALS, 'deadLetterCredentials'),
    ...namesIn(annotations, REPLY_CREDENTIALS, 'replyCredentials'),
    ...(signing !== undefined && { signing }),
    ...(origin !== undefined && { webhookOrigin: origin.toLowerCase() }),
    handshake: handshake === 'require' || handshake === 'prefer' ? handshake : 'off',
  }
}

function namesIn(annotations: Readonly<Record<string, string>>, annotation: string, field: string): object {
  const value = annotations[annotation]
  return value === undefined ? {} : { [field]: listOf(value) }
}

/** Of a Broker and a channel, whose dead-letter sink triggers fall back to. */
export const HUB_RECEIVER_ANNOTATIONS: Readonly<Record<string, AnnotationRule>> = {
  [DEAD_LETTER_CREDENTIALS]: secretNames('The Secrets that the dead-letter sink in this resource is shown.'),
}

/** Of a Trigger. */
export const TRIGGER_RECEIVER_ANNOTATIONS: Readonly<Record<string, AnnotationRule>> = {
  ...HUB_RECEIVER_ANNOTATIONS,
  [CREDENTIALS]: secretNames(
    `The Secrets that the subscriber is shown, by their types: ${Object.keys(SECRET_TYPES).join(', ')}.`,
  ),
  [SIGNING]: {
    description: 'The Secret whose values each delivery is signed with, as Standard Webhooks: whsec_… or whsk_….',
    refuse: (value) => (isSecretName(value) ? undefined : 'the name of a Secret'),
  },
  [HANDSHAKE]: {
    description:
      'CloudEvents WebHook: whether the subscriber is asked for its consent. prefer: without it, six tries a minute.',
    values: ['require', 'prefer', 'off'],
    refuse: (value) => (['require', 'prefer', 'off'].includes(value) ? undefined : 'require, prefer or off'),
  },
  [ORIGIN]: {
    description: 'Who the subscriber is asked for consent by, a DNS name. Default: the host of --public-url.',
    refuse: (value) => (isDnsName(value) ? undefined : 'a DNS name, such as events.example.com'),
  },
}

/** Of a Subscription. */
export const SUBSCRIPTION_RECEIVER_ANNOTATIONS: Readonly<Record<string, AnnotationRule>> = {
  ...TRIGGER_RECEIVER_ANNOTATIONS,
  [REPLY_CREDENTIALS]: secretNames('The Secrets that the destination of replies is shown.'),
}

/** More than there are sorts of credentials is a slip of the pen. */
const SECRETS_MAX = 4

function secretNames(description: string): AnnotationRule {
  return {
    description,
    refuse: (value) => {
      const names = listOf(value)
      return names.length <= SECRETS_MAX && names.every(isSecretName)
        ? undefined
        : `the name of a Secret, or up to ${SECRETS_MAX} with commas between them`
    },
  }
}

/** An origin that nobody is asked by is a slip of the pen. */
export function checkHandshake({ metadata: { annotations } }: Draft, report: Report): void {
  if (annotations[ORIGIN] === undefined || annotations[HANDSHAKE] !== undefined) return
  report({
    severity: 'warning',
    code: 'SLUICE_RESOURCE_NOT_ACTED_ON',
    path: ['metadata', 'annotations', ORIGIN],
    message: `Annotation ${ORIGIN} has no effect without ${HANDSHAKE}.`,
    hint: `Add ${HANDSHAKE}: require, or remove it.`,
  })
}

/** The Secrets that they name, for the warning that one isn't there. */
export function secretReferences(resource: Resource): Reference[] {
  const { namespace, annotations } = resource.metadata
  const missing =
    resource.kind === 'Trigger' || resource.kind === 'Subscription'
      ? `The ${resource.kind} will not be Ready until it exists.`
      : 'What falls back to this dead-letter sink will not be Ready until it exists.'
  return [CREDENTIALS, SIGNING, DEAD_LETTER_CREDENTIALS, REPLY_CREDENTIALS].flatMap((annotation) =>
    (annotations[annotation] === undefined ? [] : listOf(annotations[annotation])).map((name) => ({
      path: ['metadata', 'annotations', annotation],
      apiVersion: 'v1',
      kind: 'Secret',
      namespace,
      name,
      missing,
    })),
  )
}
