// Stripe, Slack, Shopify, Twilio.

import type { Preset } from '../preset.ts'

const FIVE_MINUTES_MS = 300_000

/** The whole `whsec_…` is the key; several `v1` while a secret is exchanged. */
export const stripe: Preset = {
  ways: [
    {
      scheme: 'hmac',
      header: 'stripe-signature',
      parse: { separator: ',', pair: '=', take: 'v1' },
      algorithm: 'sha256',
      encoding: 'hex',
      keyEncoding: 'utf8',
      content: '{timestamp}.{body}',
      timestamp: { header: 'stripe-signature', take: 't', unit: 's', toleranceMs: FIVE_MINUTES_MS },
    },
  ],
  event: {
    type: 'com.stripe.{body.type}',
    source: "https://api.stripe.com/accounts/{body.account|body.context|'self'}",
    subject: '{body.data.object.id|body.related_object.id}',
    id: '{body.id}',
    time: '{body.created}',
  },
  delivery: '{body.id}',
  answer: 200,
  example: { contentType: 'application/json', headers: [] },
}

/** Events, interactive payloads and slash commands. */
export const slack: Preset = {
  ways: [
    {
      scheme: 'hmac',
      header: 'x-slack-signature',
      prefix: 'v0=',
      algorithm: 'sha256',
      encoding: 'hex',
      keyEncoding: 'utf8',
      content: 'v0:{timestamp}:{body}',
      timestamp: { header: 'x-slack-request-timestamp', unit: 's', toleranceMs: FIVE_MINUTES_MS },
    },
  ],
  event: {
    type: ['com.slack.{body.event.type}[.{body.event.subtype}]', 'com.slack.{body.type}', 'com.slack.command'],
    source: 'https://slack.com/team/{body.team_id|body.team.id}[/app/{body.api_app_id}]',
    subject:
      '{body.event.channel|body.event.item.channel|body.event.user|body.channel.id|body.channel_id|body.user_id}',
    id: '{body.event_id|body.trigger_id}',
    time: '{body.event_time}',
  },
  delivery: '{body.event_id|body.trigger_id}',
  formField: 'payload',
  greetings: [
    {
      when: { '{body.type}': 'url_verification' },
      answer: { status: 200, contentType: 'text/plain', body: '{body.challenge}' },
    },
  ],
  answer: 200,
  example: { contentType: 'application/json', headers: [] },
}

export const shopify: Preset = {
  ways: [
    {
      scheme: 'hmac',
      header: 'x-shopify-hmac-sha256',
      algorithm: 'sha256',
      encoding: 'base64',
      keyEncoding: 'utf8',
      content: '{body}',
    },
  ],
  event: {
    type: 'com.shopify.{dots(header.x-shopify-topic)}',
    source: 'https://{header.x-shopify-shop-domain}',
    subject: '{body.admin_graphql_api_id|body.id}',
    id: '{header.x-shopify-webhook-id}',
    time: '{header.x-shopify-triggered-at}',
    extensions: { shopifyeventid: '{header.x-shopify-event-id}' },
  },
  delivery: '{header.x-shopify-webhook-id}',
  answer: 200,
  example: {
    contentType: 'application/json',
    headers: [
      ...['x-shopify-topic', '{event}', 'x-shopify-webhook-id', '{uuid}'],
      ...['x-shopify-shop-domain', 'example.myshopify.com'],
    ],
  },
}

/** A status of a call or message comes once. */
const TWILIO_IDS = [
  '{header.i-twilio-idempotency-token}',
  '{body.CallSid}.{body.CallStatus}',
  '{body.MessageSid|body.SmsSid}.{body.MessageStatus|body.SmsStatus}',
]

/** Signs its address, so `--public-url` has to be what Twilio calls. */
export const twilio: Preset = {
  ways: [
    {
      scheme: 'hmac',
      header: 'x-twilio-signature',
      algorithm: 'sha1',
      encoding: 'base64',
      keyEncoding: 'utf8',
      content: '{url}{sortedForm}',
      bodyDigest: 'bodySHA256',
    },
  ],
  event: {
    type: [
      'com.twilio.call.{body.CallStatus}',
      'com.twilio.message.{body.MessageStatus|body.SmsStatus}',
      'com.twilio.{body.EventType|body.type}',
      'com.twilio.request',
    ],
    source: "https://api.twilio.com/accounts/{body.AccountSid|body.0.data.accountSid|'self'}",
    subject: '{body.CallSid|body.MessageSid|body.SmsSid}',
    id: TWILIO_IDS,
  },
  delivery: TWILIO_IDS,
  answer: 204,
  example: {
    contentType: 'application/x-www-form-urlencoded',
    headers: ['i-twilio-idempotency-token', '{uuid}'],
  },
}
