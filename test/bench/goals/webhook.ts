// A webhook: what it costs that a request proves who sent it, beside an event of the same size that comes as an event.

import type { Context, Goal, Measure, Target } from '../goal.ts'
import { EVENT_TYPE, WEBHOOK_SECRET } from '../load/payload.ts'
import { measureOf } from '../measure.ts'
import { oneTrigger, startSluice } from '../programs/sluice.ts'
import { hop, problemOf, runRounds } from '../rounds.ts'

const DATA = { dataBytes: 1024 } as const

const verification: Target = {
  id: 'WEBHOOK.verify',
  what: "What verifying GitHub's signature adds to the CPU of a webhook, over the CPU of a plain event",
  better: 'lower',
  target: 0.15,
}

export const webhookGoal: Goal = {
  id: 'WEBHOOK',
  what: 'Webhooks of 1 KiB, signed as by GitHub, closed loop, beside plain binary events and webhooks that prove nothing',
  targets: [verification],
  run,
}

async function run(context: Context): Promise<Measure[]> {
  const resources = oneTrigger(`${context.load.sink}/0`)
  const path = '/webhooks/default/bench'
  const start = {
    plain: () => startSluice(context, { resources }),
    unverified: () => startSluice(context, { resources: [...resources, source('none')], path }),
    verified: () => startSluice(context, { resources: [...resources, source('hmac')], path }),
  }
  const rounds = await runRounds(context, start, (program, name, pass) =>
    hop(pass, program, { ...DATA, mode: name === 'plain' ? 'binary' : 'webhook' }),
  )
  return [
    measureOf(verification, rounds, {
      ratio: ({ plain, unverified, verified }) =>
        (verified.cpuUsPerEvent - unverified.cpuUsPerEvent) / plain.cpuUsPerEvent,
      figures: {
        'verified µs': ({ verified }) => verified.cpuUsPerEvent,
        'unverified µs': ({ unverified }) => unverified.cpuUsPerEvent,
        'plain µs': ({ plain }) => plain.cpuUsPerEvent,
        'verified/s': ({ verified }) => verified.eventsPerSecond,
      },
      problem: problemOf(rounds.flatMap((round) => [round.plain, round.unverified, round.verified])),
    }),
  ]
}

/** A WebhookSource as GitHub's, whose events are those of the benchmark. */
function source(scheme: 'hmac' | 'none'): string {
  const none = '  verify: {scheme: none}\n'
  return `apiVersion: v1
kind: Secret
metadata: {name: bench, namespace: default}
stringData: {secret: ${WEBHOOK_SECRET}}
---
apiVersion: sources.sluice.dev/v1alpha1
kind: WebhookSource
metadata: {name: bench, namespace: default}
spec:
  preset: github
${scheme === 'none' ? none : '  secretRefs: [{name: bench, key: secret}]\n'}  event: {type: ${EVENT_TYPE}, source: /shops/bench/orders}
  sink: {ref: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: bench}}
`
}
