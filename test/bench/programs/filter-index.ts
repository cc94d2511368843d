// G3, run as `node filter-index.ts TRIGGERS`: the index over that many filters by itself, and prints what it costs, as
// JSON. A process of its own: what the engine has learnt from other filters is not in it.

import { Event } from '@sluice/event'
import { compileFilters, FilterIndex } from '@sluice/filter'
import { payload } from '../load/payload.ts'
import { mixed } from './filters.ts'
import { tell } from './measuring.ts'

/** What this program prints. */
export interface IndexReading {
  /** Compiling all filters, in ms of CPU; and building their index. The first time in the process, as at a start. */
  readonly compileMs: number
  readonly buildMs: number
  /** One event for which one trigger matches, in µs. */
  readonly matchUs: number
  /** Adding one filter more and finding it by the next event, in µs. */
  readonly addUs: number
}

const ROUNDS = 20
const ROUND_MS = 20

const triggers = Number(process.argv[2])
const specs = Array.from({ length: triggers }, (_, place) => mixed(place))
const began = process.cpuUsage()
const filters = specs.map((spec) => compileFilters(spec))
const compileMs = cpuUs(began) / 1000
const compiled = process.cpuUsage()
const index = new FilterIndex<number>()
for (const [place, filter] of filters.entries()) index.add(place, filter)
const buildMs = cpuUs(compiled) / 1000
const { attributes } = payload(new URL('http://127.0.0.1/'), { mode: 'binary', dataBytes: 1024 })
const event = (): Event => new Event(new Map(Object.entries(attributes)), undefined)
const found = index.match(event())
if (found.length !== 1 || found[0] !== 0) throw new Error(`the index finds ${found.join(', ')}, and not the first one`)

const matchUs = least(() => index.match(event()))
const addUs = least(() => {
  index.add(-1, compileFilters([{ exact: { type: 'com.example.added' } }]))
  index.match(event())
  index.remove(-1)
})
const reading: IndexReading = { compileMs, buildMs, matchUs, addUs }
tell(reading)

/** Of one call, in µs of CPU: the least of some rounds, so that what else the machine did is not in it. */
function least(call: () => unknown): number {
  let fewest = Infinity
  for (let round = 0; round < ROUNDS; round++) {
    const begin = process.cpuUsage()
    let calls = 0
    let spent = 0
    while (spent < ROUND_MS * 1000) {
      for (let i = 0; i < 64; i++) call()
      calls += 64
      spent = cpuUs(begin)
    }
    fewest = Math.min(fewest, spent / calls)
  }
  return fewest
}

function cpuUs(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since)
  return user + system
}
