// messaging.sluice.dev LogChannel: a channel on the local disk, and its bounds. A Broker gets one by the channel template of
// its ConfigMap, a Channel by its own (../channel-template.ts).

import type { Kind } from '../kind.ts'
import { checkLogBounds, LOG_CHANNEL, LOG_PROPERTIES } from '../log-bounds.ts'
import { CHANNEL_CONDITIONS_SHOWN, CHANNEL_PROPERTIES, CHANNEL_RULES } from './channel.ts'

/** The kind. */
export const logChannel: Kind = {
  ...LOG_CHANNEL,
  fields: {
    spec: {
      type: 'object',
      description: 'How much is kept, how long, and what happens when it is full.',
      additionalProperties: false,
      properties: {
        ...LOG_PROPERTIES,
        ...CHANNEL_PROPERTIES,
      },
    },
  },
  conditions: {
    living: ['LogReady', 'Addressable', 'DeadLetterSinkResolved', 'EventPoliciesReady'],
    shown: CHANNEL_CONDITIONS_SHOWN,
  },
  ...CHANNEL_RULES,
  validate(draft, report) {
    CHANNEL_RULES.validate(draft, report)
    checkLogBounds(draft, report)
  },
}
