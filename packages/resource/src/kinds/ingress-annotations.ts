// The annotations of a Broker and of every kind of channel that say whom its ingress lets in (SURFACE "Trigger
// annotations", WEBHOOKS 3).

import type { AnnotationRule, Reference } from '../kind.ts'
import type { Resource } from '../resource.ts'

/** What the annotations of a Broker or channel ask of who sends to it; absent where they say nothing. */
export interface IngressSettings {
  /** Name of the Secret, in its namespace, whose values are the tokens. */
  readonly tokenSecret?: string
  /** Origins that a CloudEvents WebHook handshake lets in; `*` = any. */
  readonly allowedOrigins?: readonly string[]
  /** Requests a minute of one of these, and of all that name none. */
  readonly allowedRate?: number
}

/** `sluice.dev/ingress-token-secret` */
export const TOKEN_SECRET = 'sluice.dev/ingress-token-secret'
const ORIGINS = 'sluice.dev/webhook-allowed-origins'
const RATE = 'sluice.dev/webhook-allowed-rate'

/** Settings of one that is stored, so that its annotations were checked. */
export function ingressSettings({ metadata: { annotations } }: Resource): IngressSettings {
  const { [TOKEN_SECRET]: tokenSecret, [ORIGINS]: origins, [RATE]: rate } = annotations
  return {
    ...(tokenSecret !== undefined && { tokenSecret }),
    ...(origins !== undefined && { allowedOrigins: listOf(origins) }),
    ...(rate !== undefined && { allowedRate: Number(rate) }),
  }
}

/** The rules of each. */
export const INGRESS_ANNOTATIONS: Readonly<Record<string, AnnotationRule>> = {
  [TOKEN_SECRET]: {
    description: 'The Secret whose values may be used as bearer tokens at its ingress. Without it there is none.',
    refuse: (value) => (isSecretName(value) ? undefined : 'the name of a Secret'),
  },
  [ORIGINS]: {
    description:
      'The origins that the CloudEvents WebHook handshake lets in, with commas between them; * is any. Default *.',
    refuse: (value) =>
      listOf(value).every((each) => each === '*' || isDnsName(each))
        ? undefined
        : 'DNS names with commas between them, such as eventgrid.azure.net, or *',
  },
  [RATE]: {
    description: 'How many requests a minute are taken of one origin, and of all senders that name none.',
    refuse: (value) => (/^[1-9]\d{0,8}$/.test(value) ? undefined : 'a whole number of requests a minute, from 1 on'),
  },
}

/** The Secret of the tokens, for the warning that it isn't there. */
export function tokenSecretReference(resource: Resource): Reference[] {
  const { tokenSecret } = ingressSettings(resource)
  if (tokenSecret === undefined) return []
  return [
    {
      path: ['metadata', 'annotations', TOKEN_SECRET],
      apiVersion: 'v1',
      kind: 'Secret',
      namespace: resource.metadata.namespace,
      name: tokenSecret,
      missing: 'Until it exists nobody can send to its ingress.',
    },
  ]
}

/** What stands in an annotation with commas between it. */
export function listOf(value: string): string[] {
  return value.split(',').map((each) => each.trim())
}

export function isSecretName(text: string): boolean {
  return text.length <= 253 && /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(text)
}

export function isDnsName(text: string): boolean {
  return text.length <= 253 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/i.test(text)
}
