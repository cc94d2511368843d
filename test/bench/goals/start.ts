// G10: from the start of the process to the first 202, with many triggers, beside a process that loads the same
// libraries, listens and parses the same YAML; and over a log that is full, beside the start on an empty one: neither what
// was delivered long ago nor what is still to be delivered costs a start anything, whatever there is of it.

import { writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import type { Context, Goal, Measure, Target } from '../goal.ts'
import { payload } from '../load/payload.ts'
import { measureOf } from '../measure.ts'
import { cpuMsOf } from '../proc.ts'
import { startStarter } from '../programs/beside.ts'
import { filledLog } from '../programs/filled-log.ts'
import type { Program } from '../programs/program.ts'
import { broker, oneTrigger, startSluice, trigger } from '../programs/sluice.ts'
import { runRounds } from '../rounds.ts'

const start100: Target = {
  id: 'G10.start100',
  what: 'Start until the first 202 with 100 triggers, Sluice over the starter',
  better: 'lower',
  target: 1.5,
}
const start10000: Target = {
  id: 'G10.start10000',
  what: 'Start until the first 202 with 10,000 triggers, Sluice over the starter',
  better: 'lower',
  target: 1.5,
}

const restart: Target = {
  id: 'G10.restart',
  what: 'Start until the first 202 over a log of 1 GiB, all of it delivered, over the start on an empty one',
  better: 'lower',
  target: 1.5,
}

const backlog: Target = {
  id: 'G10.backlog',
  what: 'Start until the first 202 over a log of 1 GiB, nothing of it delivered, over the start on an empty one',
  better: 'lower',
  target: 1.5,
}

export const startGoal: Goal = {
  id: 'G10',
  what: 'Start until the first 202, beside a process that loads the same libraries and parses the same YAML, or an empty log',
  targets: [start100, start10000, restart, backlog],
  run: async (context) => [
    await runWith(context, start100, 100),
    await runWith(context, start10000, context.quick ? 200 : 10_000),
    await runRestart(context, restart, true),
    await runRestart(context, backlog, false),
  ],
}

async function runWith(context: Context, target: Target, triggers: number): Promise<Measure> {
  const resources = [broker]
  for (let index = 0; index < triggers; index++) {
    const type = index === 0 ? undefined : `com.example.other.n${index}`
    resources.push(trigger({ name: `t${index}`, subscriber: `${context.load.sink}/0`, ...(type && { type }) }))
  }
  const file = join(context.folder, `triggers-${triggers}.yaml`)
  writeFileSync(file, resources.join('---\n'))
  const start = {
    starter: () => untilAccepted(() => startStarter(context, file)),
    sluice: () => untilAccepted(() => startSluice(context, { resources })),
  }
  // The first start after others reads files that are not cached yet: it doesn't count.
  context.say(`${triggers} triggers`)
  await (await start.starter()).end()
  await (await start.sluice()).end()
  const rounds = await runRounds(context, start, ({ accepted }) => Promise.resolve(accepted))
  return measureOf(target, rounds, {
    ratio: ({ starter, sluice }) => sluice.wallMs / starter.wallMs,
    figures: {
      'sluice ms': ({ sluice }) => sluice.wallMs,
      'starter ms': ({ starter }) => starter.wallMs,
      'sluice CPU ms': ({ sluice }) => sluice.cpuMs,
      'starter CPU ms': ({ starter }) => starter.cpuMs,
    },
    detail: { triggers },
  })
}

/** With 880,000 events it is 1 GiB but for a little, and the segment that is read at a start nearly as long as any gets. */
async function runRestart(context: Context, target: Target, settled: boolean): Promise<Measure> {
  const events = context.quick ? 10_000 : 880_000
  const resources = oneTrigger(`${context.load.sink}/0`)
  const data = await filledLog(context, { events, triggers: ['only'], settled })
  const start = {
    empty: () => untilAccepted(() => startSluice(context, { resources, channel: 'log' })),
    full: () => untilAccepted(() => startSluice(context, { resources, channel: 'log', data })),
  }
  await (await start.full()).end() // as above
  const rounds = await runRounds(context, start, ({ accepted }) => Promise.resolve(accepted))
  return measureOf(target, rounds, {
    ratio: ({ empty, full }) => full.wallMs / empty.wallMs,
    figures: {
      'full ms': ({ full }) => full.wallMs,
      'empty ms': ({ empty }) => empty.wallMs,
      'full CPU ms': ({ full }) => full.cpuMs,
      'empty CPU ms': ({ empty }) => empty.cpuMs,
    },
    detail: { events },
  })
}

/** A program with what it took from its start to its first 202. */
interface Accepted extends Program {
  readonly accepted: { readonly wallMs: number; readonly cpuMs: number }
}

async function untilAccepted(start: () => Promise<Program>): Promise<Accepted> {
  const program = await start()
  const status = await postOne(new URL(program.address))
  const accepted = { wallMs: performance.now() - program.startedAt, cpuMs: cpuMsOf(program.pid) }
  if (status !== 202) throw new Error(`${program.name} answered its first event with ${status}`)
  return { ...program, accepted }
}

async function postOne(address: URL): Promise<number | undefined> {
  const { data } = payload(address, { mode: 'binary', dataBytes: 1024 })
  const headers = {
    'ce-specversion': '1.0',
    'ce-id': '1',
    'ce-source': '/bench',
    'ce-type': 'com.example.first',
    'content-type': 'application/json',
  }
  return await new Promise((resolve, reject) => {
    const posted = request(address, { method: 'POST', headers, agent: false }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    posted.on('error', reject)
    posted.end(data)
  })
}
