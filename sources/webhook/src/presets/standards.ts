// Standard Webhooks, AWS SNS, and requests that are CloudEvents already.

import { ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER } from '@sluice/signature'
import type { Preset } from '../preset.ts'
import type { Ed25519Verify, HmacVerify } from '../spec.ts'

const STANDARD = {
  header: SIGNATURE_HEADER,
  encoding: 'base64',
  keyEncoding: 'base64',
  content: `{header.${ID_HEADER}}.{timestamp}.{body}`,
  timestamp: { header: TIMESTAMP_HEADER, unit: 's', toleranceMs: 300_000 },
} as const

/** `v1`: with a secret that both know. */
export const STANDARD_HMAC: HmacVerify = {
  ...STANDARD,
  scheme: 'hmac',
  algorithm: 'sha256',
  keyPrefix: 'whsec_',
  parse: { separator: ' ', pair: ',', take: 'v1' },
}

/** `v1a`: the provider signs, and everybody may check. */
const STANDARD_ED25519: Ed25519Verify = {
  ...STANDARD,
  scheme: 'ed25519',
  keyPrefix: 'whpk_',
  parse: { separator: ' ', pair: ',', take: 'v1a' },
}

/** The secret says which: `whsec_…` or `whpk_…`. */
export const standardWebhooks: Preset = {
  ways: [STANDARD_HMAC, STANDARD_ED25519],
  event: {
    type: ['{body.type}', 'webhook'],
    id: '{header.webhook-id}',
    time: '{body.timestamp|header.webhook-timestamp}',
  },
  delivery: '{header.webhook-id}',
  answer: 200,
  example: { contentType: 'application/json', headers: ['webhook-id', 'msg_{uuid}'] },
}

/** Attributes as the CloudEvents AWS SNS adapter says. The topics stand in `verify.topicArns`. */
export const sns: Preset = {
  ways: [{ scheme: 'sns', topicArns: [] }],
  event: {
    type: 'com.amazonaws.sns.{body.Type}',
    source: '{header.x-amz-sns-subscription-arn|body.TopicArn}',
    subject: '{body.Subject}',
    id: '{body.MessageId}',
    time: '{body.Timestamp}',
  },
  delivery: '{body.MessageId}',
  greetings: [
    { when: { '{body.Type}': 'SubscriptionConfirmation' }, first: 'confirmSubscription', answer: { status: 200 } },
  ],
  answer: 200,
  example: { contentType: 'text/plain; charset=UTF-8', headers: [] },
}

/** CloudEvents WebHook: a bearer token, in the header or as `access_token` (3 of that specification). */
export const cloudEvents: Preset = {
  ways: [{ scheme: 'bearer' }],
  event: 'cloudevents',
  answer: 202,
  example: { contentType: 'application/cloudevents+json', headers: [] },
}
