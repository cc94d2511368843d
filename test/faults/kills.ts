// Kills of a real process under load, at moments that a seed chooses, and what is left after them (faults 1, 2, 3). The
// tests run a few, `pnpm faults --kills N` as many as one likes.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { diskBox } from '@sluice/broker'
import { systemClock } from '@sluice/clock'
import { seededRandom } from '@sluice/segments/simulation'
import { trigger } from '../support/events.ts'
import { settled } from '../support/ops.ts'
import { folderOf, ready, startProgram, type Program, type Sluice, type StartOptions } from '../support/sluice.ts'
import { BOX, Ledger, type Route, type Verdict } from './ledger.ts'
import { TRACING } from './machine.ts'
import { startProducers } from './producers.ts'
import { boundedBroker, inOrder } from './yaml.ts'
import { openSink } from './sinks.ts'
import { traced } from './trace.ts'

/** Ways to be killed. */
export const KILLS = {
  instant: 'at any moment under load',
  start: 'at any moment of a start, which recovers what the kill before it has left',
  write: 'before its N-th write to the disk, so exactly after the one before',
  sync: 'before its N-th sync',
  synced: 'after its N-th sync, before anybody was told of it',
  roll: 'before its N-th change of a file name or size: a new segment, an old one that goes, a journal that begins anew',
} as const

export type Kill = keyof typeof KILLS

export interface KillRun {
  readonly kills: number
  readonly seed: number
  /** Default: all that this machine can do. */
  readonly ways?: readonly Kill[]
  /** Is told of each kill, and of what was checked. */
  readonly tell?: (line: string) => void
}

/** What came of it. */
export interface KillSummary extends Omit<Verdict, 'violations'> {
  readonly kills: Readonly<Record<Kill, number>>
  /** From the start of a process that was not killed before to its ready line, the longest one. */
  readonly restartMs: number
  /** Of these, the median. */
  readonly restartMedianMs: number
  readonly violations: readonly string[]
}

/** After so many kills everything is let come to its end and compared. */
const KILLS_AT_ONCE = 10
/** Producers, each with a key. */
const KEYS = 16

/** The kills, one after the other on one data directory. */
export async function runKills({ kills, seed, ways = waysHere(), tell = () => {} }: KillRun): Promise<KillSummary> {
  const random = seededRandom(seed)
  const course: Course = { random, data: join(folderOf({}), 'data'), restartsMs: [], tell }
  const counts: Record<Kill, number> = { instant: 0, start: 0, write: 0, sync: 0, synced: 0, roll: 0 }
  const verdicts: Verdict[] = []
  for (let done = 0, round = 0; done < kills; round++) {
    const next = chosen(ways, Math.min(KILLS_AT_ONCE, kills - done), random)
    for (const kill of next) counts[kill]++
    done += next.length
    const verdict = await runRound(course, `r${round}`, next)
    verdicts.push(verdict)
    tell(
      `${done} kills: ${verdict.acked} acknowledged, ${verdict.duplicates} duplicates of ${verdict.duplicatesMax} allowed`,
    )
  }
  const sum = (of: (verdict: Verdict) => number): number => verdicts.reduce((total, each) => total + of(each), 0)
  const restartsMs = course.restartsMs.toSorted((one, other) => one - other)
  return {
    kills: counts,
    acked: sum(({ acked }) => acked),
    delivered: sum(({ delivered }) => delivered),
    duplicates: sum(({ duplicates }) => duplicates),
    duplicatesMax: sum(({ duplicatesMax }) => duplicatesMax),
    reachMs: Math.max(...verdicts.map(({ reachMs }) => reachMs)),
    restartMs: restartsMs.at(-1) ?? 0,
    restartMedianMs: restartsMs[restartsMs.length >> 1] ?? 0,
    violations: verdicts.flatMap(({ violations }) => violations),
  }
}

function waysHere(): Kill[] {
  return TRACING.isMissing ? ['instant', 'start'] : ['instant', 'start', 'write', 'sync', 'synced', 'roll']
}

/** So many in an order by chance: each of the ways once, as far as they go, and the rest at any moment. */
function chosen(ways: readonly Kill[], kills: number, random: () => number): Kill[] {
  const others = ways.filter((way) => way !== 'instant').slice(0, kills)
  const all = [...others, ...Array.from({ length: kills - others.length }, (): Kill => 'instant')]
  return all
    .map((way) => ({ way, at: random() }))
    .toSorted((one, other) => one.at - other.at)
    .map(({ way }) => way)
}

interface Course {
  readonly random: () => number
  readonly data: string
  readonly restartsMs: number[]
  readonly tell: (line: string) => void
}

/** Triggers of all sorts: in order, with failures; without; refused, with a dead-letter sink and without. */
const ROUTES: readonly Route[] = [
  { name: 'ordered', matches: () => true, end: 'ordered', isOrdered: true },
  { name: 'plain', matches: () => true, end: 'plain', isOrdered: false },
  { name: 'refused', matches: ({ type }) => type === 'bad', end: 'dead', isOrdered: false },
  { name: 'boxed', matches: ({ type }) => type === 'ugly', end: BOX, isOrdered: false },
]

async function runRound(course: Course, name: string, kills: readonly Kill[]): Promise<Verdict> {
  const { random, data, tell } = course
  const ledger = new Ledger(ROUTES)
  let isEasy = false
  const ordered = await openSink(ledger, 'ordered', () => (!isEasy && random() < 0.02 ? 500 : 202))
  const [plain, dead] = [await openSink(ledger, 'plain'), await openSink(ledger, 'dead')]
  const refusing = await openSink(ledger, 'refusing', () => 400)
  const sinks = [ordered, plain, dead, refusing]
  const folder = folderOf({
    'sluice.yaml':
      boundedBroker('{retention: {bytes: 4Mi}}') + // so little that segments go while the process runs
      inOrder(trigger('ordered', ordered.url, ['delivery: {retry: 10, backoffDelay: PT0.05S}'])) +
      trigger('plain', plain.url) +
      trigger('refused', refusing.url, [`delivery: {retry: 1, deadLetterSink: {uri: "${dead.url}"}}`, ofType('bad')]) +
      trigger('boxed', refusing.url, ['delivery: {retry: 1}', ofType('ugly')]),
  })
  const producers = startProducers(ledger, undefined, {
    keys: KEYS,
    prefix: name,
    type: (n) => (n % 20 === 7 ? 'bad' : n % 50 === 9 ? 'ugly' : 't'),
    bytes: () => 100 + Math.floor(random() ** 3 * 4000),
  })
  const start = (options?: StartOptions): Program =>
    startProgram(['up', folder, '--listen', '127.0.0.1:0', '--api', '127.0.0.1:0', '--data', data], options)

  for (const kill of kills) {
    const told = await WAYS[kill]({ ...course, ledger, start, aim: producers.aim })
    producers.aim(undefined)
    await Promise.all(sinks.map((sink) => sink.idle()))
    ledger.isOver()
    tell(`  ${kill}: ${told}`)
  }
  isEasy = true
  const sluice = await restarted(course, start(), producers.aim)
  await producers.stop()
  await ledger.allEnded()
  await settled(sluice.api)
  await sluice.stop()
  const verdict = ledger.check(await boxIds(data, name))
  if (verdict.violations.length > 0) tell(`the ledger of ${name} is in ${ledger.write(`sluice-ledger-${name}.jsonl`)}`)
  for (const sink of sinks) await sink.close()
  return verdict
}

function ofType(type: string): string {
  return `filter: {attributes: {type: ${type}}}`
}

/** What a way of killing has at hand. */
interface Scene extends Course {
  readonly ledger: Ledger
  readonly start: (options?: StartOptions) => Program
  readonly aim: (broker: string | undefined) => void
}

const UNDER_LOAD_MS_MAX = 1500
/** A process whose N-th call doesn't come is killed after so long all the same. */
const AT_LAST_MS = 3000

/** Each starts a process and sees it killed. */
const WAYS: Readonly<Record<Kill, (scene: Scene) => Promise<string>>> = {
  async instant(scene) {
    const { random, start, aim } = scene
    const sluice = await restarted(scene, start(), aim)
    const ms = random() * UNDER_LOAD_MS_MAX
    await passed(ms)
    await killNow(scene, sluice)
    return `${Math.round(ms)} ms after it was ready`
  },
  async start(scene) {
    const { random, start, restartsMs } = scene
    const program = start()
    const ms = random() * (restartsMs.at(-1) ?? 500)
    await passed(ms)
    await killNow(scene, program)
    return `${Math.round(ms)} ms after it was started`
  },
  write: (scene) => killedBy(scene, 'pwrite64:signal=SIGKILL', 60),
  sync: (scene) => killedBy(scene, 'fdatasync:signal=SIGKILL', 60),
  roll: (scene) =>
    killedBy(scene, ['rename', 'unlink', 'ftruncate'][Math.floor(scene.random() * 3)]! + ':signal=SIGKILL', 3),
  async synced(scene) {
    const nth = 1 + Math.floor(scene.random() ** 2 * 60)
    const options = traced([`fdatasync:delay_exit=${AT_LAST_MS * 1000}:when=${nth}`], { told: true })
    const { program, over } = underLoad(scene, options)
    await Promise.race([program.stderr.until(/fdatasync.*\(DELAYED\)/), over.then(lastMoment)])
    await killNow(scene, program, { wasTraced: true })
    await over
    return `after sync ${nth}`
  },
}

async function killedBy(scene: Scene, injection: string, most: number): Promise<string> {
  const nth = 1 + Math.floor(scene.random() ** 2 * most) // often among the first, which recover what was left
  const { program, over } = underLoad(scene, traced([`${injection}:when=${nth}`]))
  const isOver = await Promise.race([program.exited.then(() => true), over.then(lastMoment)])
  if (isOver) scene.ledger.killed({ wasTraced: true })
  else await killNow(scene, program, { wasTraced: true })
  await over
  return `${injection.split(':')[0]} ${nth}${isOver ? '' : ', which did not come'}`
}

/** Starts a process that may not live to be ready; if it does, it is sent to. */
function underLoad({ start, aim }: Scene, options: StartOptions): { program: Program; over: Promise<unknown> } {
  const program = start(options)
  const over = ready(program, '').then(
    ({ broker: url }) => aim(url),
    () => {}, // it was killed before
  )
  return { program, over }
}

async function lastMoment(): Promise<false> {
  await passed(AT_LAST_MS)
  return false
}

async function killNow({ ledger }: Scene, program: Program, how: { wasTraced?: boolean } = {}): Promise<void> {
  ledger.killed(how)
  program.process.kill('SIGKILL')
  await program.exited
}

/** Waits until it is ready, which it has to be, and has the producers send to it. */
async function restarted({ restartsMs }: Course, program: Program, aim: Scene['aim']): Promise<Sluice> {
  const startedMs = performance.now()
  const sluice = await ready(program, '')
  restartsMs.push(performance.now() - startedMs)
  aim(sluice.broker)
  return sluice
}

function passed(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Ids of the events in the box of a data directory that nobody has open: of this round. */
async function boxIds(data: string, prefix: string): Promise<string[]> {
  const [uid] = readdirSync(join(data, 'brokers'))
  const { box } = await diskBox({ folder: join(data, 'brokers', uid!, 'dead-letters'), clock: systemClock })
  const ids: string[] = []
  for (let after: string | undefined; ;) {
    const entries = await box.list({ limit: 1000, ...(after !== undefined && { after }) })
    if (entries.length === 0) break
    ids.push(...entries.map(({ event }) => event.id))
    after = entries.at(-1)!.id
  }
  await box.close()
  return ids.filter((id) => id.startsWith(`${prefix}k`))
}
