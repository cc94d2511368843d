// Every goal that the benchmark measures, in the order it runs them. A new goal is a file in goals/ and a line here.

import type { Goal } from './goal.ts'
import { badSubscribersGoal } from './goals/bad-subscribers.ts'
import { cesqlGoal } from './goals/cesql.ts'
import { durableGoal } from './goals/durable.ts'
import { catchUpManyGoal } from './goals/catch-up-many.ts'
import { catchUpGoal } from './goals/catch-up.ts'
import { expressionsGoal } from './goals/expressions.ts'
import { fanOutGoal } from './goals/fan-out.ts'
import { hopGoal } from './goals/hop.ts'
import { largeGoal } from './goals/large.ts'
import { latencyGoal } from './goals/latency.ts'
import { memoryGoal } from './goals/memory.ts'
import { neighbourGoal } from './goals/neighbour.ts'
import { proofGoal } from './goals/proof.ts'
import { queuesGoal } from './goals/queues.ts'
import { reloadGoal } from './goals/reload.ts'
import { startGoal } from './goals/start.ts'
import { timersGoal } from './goals/timers.ts'
import { triggersGoal } from './goals/triggers.ts'
import { webhookGoal } from './goals/webhook.ts'

export const goals: readonly Goal[] = [
  hopGoal,
  durableGoal,
  triggersGoal,
  expressionsGoal,
  cesqlGoal,
  fanOutGoal,
  largeGoal,
  latencyGoal,
  memoryGoal,
  neighbourGoal,
  startGoal,
  catchUpGoal,
  queuesGoal,
  webhookGoal,
  reloadGoal,
  timersGoal,
  catchUpManyGoal,
  badSubscribersGoal,
]

/** Run only where `--only` names them. */
export const proofs: readonly Goal[] = [proofGoal]
