// A stand-in for a server that outlives its clients: it keeps events and the progress of groups, and several channels
// work on it at once. It exists so that the suite's clauses for durable, shared, remote channels have run before the
// first such driver does; and it drives the hand-over with events that come later, as a disk's or a network's do.

import { setImmediate } from 'node:timers/promises'
import {
  Handover,
  ParkingLot,
  WINDOW_DEFAULT,
  alreadySubscribed,
  channelUnavailable,
  eventTooLarge,
  unsupported,
  within,
  type Capabilities,
  type Channel,
  type Delivery,
  type Loss,
  type PublishResult,
  type Start,
  type Subscription,
  type SubscriptionSpec,
} from '@sluice/channel'
import type { Clock } from '@sluice/clock'
import type { Event } from '@sluice/event'
import type { Filter } from '@sluice/filter'

interface Entry {
  readonly seq: number
  readonly time: number
  readonly event: Event
}

/** A subscription's progress at the server: what is neither behind the cursor, nor given back, nor taken, is settled. */
interface Group {
  cursor: number
  givenBack: Entry[]
  readonly taken: Set<Entry>
  /** Out when a seek went back behind them: not handed over twice on that account. */
  skipped: Set<Entry>
  readonly tries: Map<Entry, number>
  readonly members: Set<Member>
}

interface Member {
  wake(): void
  lost(loss: Loss): void
}

export interface Ledger {
  open(): Channel
  lose(events: number): Promise<void>
}

export function ledger(clock: Clock, declared: Partial<Capabilities>): Ledger {
  let entries: Entry[] = []
  let last = 0
  const groups = new Map<string, Group>()
  const capabilities: Capabilities = {
    durable: true,
    shared: true,
    browse: true,
    starts: ['latest', 'earliest', 'time', 'after'],
    seek: 'online',
    attempts: 'durable',
    maxDelayMs: 600_000,
    maxParked: 1000,
    inOrder: true,
    order: 'key-one-process',
    filterUpdate: 'live',
    filterJudged: 'handover',
    lag: 'atMost',
    retention: 'server',
    lossDetected: true,
    maxEventBytes: 1024 * 1024,
    maxSubscriptions: 200,
    fidelity: 'exact',
    ...declared,
  }

  function wakeAll(): void {
    for (const group of groups.values()) for (const member of group.members) member.wake()
  }

  /** The first sequence number from `start` on. */
  function cursorOf(start: Start): number {
    if (start === 'latest') return last + 1
    if (start === 'earliest') return 0
    if ('after' in start) return Number(start.after) + 1
    return entries.find(({ time }) => time >= start.time)?.seq ?? last + 1
  }

  function take(group: Group): Entry | undefined {
    for (;;) {
      const entry = group.givenBack.shift() ?? entries[Math.max(0, group.cursor - (last - entries.length + 1))]
      if (entry === undefined) return undefined
      group.cursor = Math.max(group.cursor, entry.seq + 1)
      if (group.skipped.delete(entry)) continue
      group.taken.add(entry)
      return entry
    }
  }

  function waitingBehind({ cursor }: Group): number {
    return Math.min(entries.length, Math.max(0, last + 1 - cursor))
  }

  function requireStart(start: Start): void {
    const kind = typeof start === 'string' ? start : 'time' in start ? 'time' : 'after'
    if (!capabilities.starts.includes(kind)) throw unsupported('starts', `no start at ${kind}`)
  }

  function open(): Channel {
    const subscriptions = new Map<string, ReturnType<typeof member>>()
    const parking = new ParkingLot<Entry>(clock)
    let closed = false

    function member(id: string, group: Group, spec: SubscriptionSpec, deliver: (delivery: Delivery) => void) {
      let filter: Filter = spec.filter
      const listeners = new Set<(loss: Loss) => void>()
      const handover: Handover<Entry> = new Handover<Entry>({
        backlog: {
          next: () => {
            for (let entry = take(group); entry !== undefined; entry = take(group)) {
              if (filter.matches(entry.event)) return entry
              group.taken.delete(entry)
            }
            return undefined
          },
          load: (entry) => {
            void setImmediate().then(() => handover.loaded(entry, entry.event))
            return undefined
          },
          tries: (entry) => group.tries.get(entry) ?? 0,
          bytes: ({ event }) => 100 + (event.data?.length ?? 0),
          position: ({ seq }) => String(seq),
          settled: (entry) => {
            if (!closed) group.taken.delete(entry)
          },
          parked: (entry, _, attempt) => {
            if (!closed && capabilities.attempts === 'durable') group.tries.set(entry, attempt)
          },
        },
        parking,
        deliver,
        order: spec.order ?? 'none',
        ...(spec.window && { window: spec.window }),
        paused: spec.paused ?? false,
        maxDelayMs: capabilities.maxDelayMs,
        maxParked: capabilities.maxParked,
      })
      const self: Member = {
        wake: () => handover.wake(),
        lost: (loss) => {
          for (const listener of listeners) listener(loss)
        },
      }
      group.members.add(self)
      const subscription: Subscription = {
        id,
        update: async (change) => {
          await setImmediate()
          if (change.filter && capabilities.filterUpdate === 'replace') throw unsupported('filterUpdate', 'immutable')
          if (change.order === 'key' && capabilities.order === 'none') throw unsupported('order', 'none')
          if (change.order) handover.setOrder(change.order)
          filter = change.filter ?? filter
          if (change.window) handover.setWindow(change.window)
        },
        pause: () => handover.pause(),
        resume: () => handover.resume(),
        seek: async (start) => {
          if (capabilities.seek === 'none') throw unsupported('seek', 'not here')
          if (start !== 'latest') requireStart(start)
          if (capabilities.seek === 'offline' && group.members.size > 1) {
            throw channelUnavailable('Another process has it open.', 1000)
          }
          await setImmediate()
          for (const entry of handover.dropWaiting()) group.taken.delete(entry)
          group.givenBack = []
          group.tries.clear()
          group.skipped = new Set(group.taken)
          group.cursor = cursorOf(start)
          handover.wake()
        },
        lag: () => ({
          events:
            capabilities.lag === 'unknown'
              ? handover.inFlight + handover.waiting
              : group.taken.size + group.givenBack.length + waitingBehind(group),
          bound: capabilities.lag,
          inFlight: handover.inFlight,
          parked: handover.parkedEvents,
        }),
        onLoss: (listener) => {
          listeners.add(listener)
          return () => listeners.delete(listener)
        },
        close: async () => {
          opened.open = false
          handover.close()
        },
      }
      const opened = { subscription, handover, group, self, open: true, setFilter: (next: Filter) => (filter = next) }
      return opened
    }

    async function subscribe(spec: SubscriptionSpec, deliver: (delivery: Delivery) => void): Promise<Subscription> {
      await setImmediate()
      if (closed) throw channelUnavailable('The channel is closed.', 1000)
      const start = spec.start ?? 'latest'
      requireStart(start)
      if (spec.order === 'key' && capabilities.order === 'none') throw unsupported('order', 'no order here')
      const known = subscriptions.get(spec.id)
      if (known?.open) throw alreadySubscribed(spec.id)
      if (known !== undefined) {
        known.setFilter(spec.filter)
        known.handover.setOrder(spec.order ?? 'none')
        known.handover.setWindow(spec.window ?? WINDOW_DEFAULT)
        known.open = true
        known.handover.reopen(deliver, spec.paused ?? false)
        return known.subscription
      }
      let group = groups.get(spec.id)
      if (group === undefined) {
        group = {
          cursor: cursorOf(start),
          givenBack: [],
          taken: new Set(),
          skipped: new Set(),
          tries: new Map(),
          members: new Set(),
        }
        groups.set(spec.id, group)
      }
      const opened = member(spec.id, group, spec, deliver)
      subscriptions.set(spec.id, opened)
      opened.handover.wake()
      return opened.subscription
    }

    async function publish(events: readonly Event[]): Promise<PublishResult[]> {
      await setImmediate()
      const results = events.map((event): PublishResult => {
        if (closed) return { stored: false, error: channelUnavailable('The channel is closed.', 1000) }
        const bytes = event.data?.length ?? 0
        if (bytes > capabilities.maxEventBytes) {
          return { stored: false, error: eventTooLarge(bytes, capabilities.maxEventBytes) }
        }
        entries.push({ seq: ++last, time: clock.now(), event })
        return { stored: true, position: String(last) }
      })
      wakeAll()
      return results
    }

    async function close({ deadlineMs }: { deadlineMs: number }): Promise<void> {
      for (const { handover } of subscriptions.values()) handover.close()
      const drained = Promise.all(Array.from(subscriptions.values(), ({ handover }) => handover.drained()))
      await within(clock, deadlineMs, drained)
      if (closed) return
      closed = true
      parking.close()
      for (const { handover, group, self } of subscriptions.values()) {
        group.members.delete(self)
        for (const entry of handover.refs()) {
          if (group.taken.delete(entry)) group.givenBack.push(entry)
        }
        group.givenBack.sort((one, other) => one.seq - other.seq)
      }
      wakeAll()
    }

    return {
      capabilities,
      room: () => 0,
      publish,
      subscribe,
      remove: async (id) => {
        const group = groups.get(id)
        if (group === undefined) return { discarded: 0 }
        groups.delete(id)
        const opened = subscriptions.get(id)
        subscriptions.delete(id)
        const waiting = opened?.handover.remove() ?? []
        const discarded = waiting.length + group.givenBack.length + waitingBehind(group)
        group.cursor = Infinity
        group.givenBack = []
        return { discarded }
      },
      subscriptions: () => groups.keys(),
      read: async ({ from = 'earliest', to, filter, limit = 100 }) => {
        if (!capabilities.browse) throw unsupported('browse', 'nothing to read')
        const first = cursorOf(from)
        return entries
          .filter(({ seq }) => seq >= first)
          .filter(({ seq, time }) => to === undefined || ('time' in to ? time <= to.time : seq <= Number(to.position)))
          .filter(({ event }) => filter === undefined || filter.matches(event))
          .slice(0, limit)
          .map(({ seq, time, event }) => ({ position: String(seq), time, event }))
      },
      onState: (listener) => {
        listener({ state: 'ready' })
        return () => {}
      },
      usage: () => ({ bytes: 0, bytesMax: Infinity, events: entries.length }),
      close,
    }
  }

  async function lose(count: number): Promise<void> {
    const gone = entries.slice(0, count)
    entries = entries.slice(count)
    for (const group of groups.values()) {
      const lost = gone.filter((entry) => entry.seq >= group.cursor && !group.taken.has(entry))
      if (lost.length === 0 || !capabilities.lossDetected) continue
      const range = [String(lost[0]!.seq), String(lost.at(-1)!.seq)] as const
      for (const member of group.members) member.lost({ events: lost.length, range, cause: 'retention' })
    }
  }

  return { open, lose }
}
