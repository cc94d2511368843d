// Providers, as data: how each signs, what it sends to be greeted, and what its events are called. Nothing here is code.
// What each says is in WEBHOOKS 1, 2 and 4; test/presets.test.ts proves it by their vectors and their own libraries.

import type { Preset } from './preset.ts'
import { github } from './presets/github.ts'
import { bitbucket, gitlab } from './presets/forges.ts'
import { shopify, slack, stripe, twilio } from './presets/services.ts'
import { cloudEvents, sns, standardWebhooks } from './presets/standards.ts'

/** By the names that a spec may give. */
export const PRESETS: Readonly<Record<string, Preset>> = {
  github,
  gitlab,
  bitbucket,
  stripe,
  slack,
  shopify,
  twilio,
  'standard-webhooks': standardWebhooks,
  sns,
  cloudevents: cloudEvents,
}
