// Scenarios as text (as raft's datadriven tests): a block is commands, `----`, and what is seen to happen.
// `UPDATE=1 pnpm exec vitest run packages/broker` writes what happens now into the files; review it as a diff.

import { DEFAULT_POLICY, type AttemptRequest, type DeliveryPolicy, type Outcome } from '@sluice/delivery'
import type { Route } from '@sluice/broker'
import { SluiceError, type Event } from '@sluice/event'
import { event, filterFor, openScene, outcome, target, trigger, type Attempt, type Scene } from './scene.ts'

/** Runs a scenario and returns its text with what really happened below each `----`. */
export async function runScenario(text: string): Promise<string> {
  const play = new Play()
  const out: string[] = []
  const lines = text.split('\n')
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!
    out.push(line)
    if (line === '' || line.startsWith('#')) continue
    if (line !== '----') {
      await play.run(line)
      continue
    }
    out.push(...play.takeSeen())
    while (i + 1 < lines.length && lines[i + 1] !== '') i++
  }
  return out.join('\n')
}

/** `verb word word key=value`, as `words` and `options`. */
interface Command {
  readonly words: readonly string[]
  readonly options: ReadonlyMap<string, string>
}

class Play {
  #scene: Scene | undefined
  readonly #seen: string[] = []
  /** Targets that answer by themselves. */
  readonly #always = new Map<string, Command>()
  readonly #verbs: Readonly<Record<string, (command: Command) => unknown>> = {
    broker: (command) => this.#open(command),
    trigger: (command) => this.#setTrigger(command),
    remove: ({ words: [name] }) => this.#run.broker.removeTrigger(`uid-${name}`),
    accept: (command) => this.#accept(command),
    answer: (command) => this.#answer(command),
    always: (command) => this.#always.set(command.words[0]!, command),
    ask: ({ words: [name] }) => this.#always.delete(name!),
    advance: (command) => this.#advance(command),
    sent: ({ words: [name] }) => this.#showSent(name!),
    status: ({ words: [name] }) => this.#showStatus(name!),
    usage: () => this.#showUsage(),
    box: () => this.#showBox(),
    unbox: ({ words: [id] }) => this.#run.box.remove(id!),
    redrive: (command) => this.#redrive(command),
    purge: (command) => this.#purge(command),
    close: (command) => this.#close(command),
  }

  async run(line: string): Promise<void> {
    const [verb, ...rest] = line.split(' ')
    const options = new Map<string, string>()
    const words: string[] = []
    for (const part of rest) {
      const equals = part.indexOf('=')
      if (equals > 0) options.set(part.slice(0, equals), part.slice(equals + 1))
      else words.push(part)
    }
    const run = this.#verbs[verb!]
    if (run === undefined) throw new Error(`no such command: ${line}`)
    await run({ words, options })
    await this.#scene?.quiet()
  }

  takeSeen(): string[] {
    return this.#seen.splice(0)
  }

  get #run(): Scene {
    this.#scene ??= this.#open({ words: [], options: new Map() })
    return this.#scene
  }

  #see(line: string): void {
    const ms = Math.round(this.#scene?.clock.monotonic() ?? 0)
    this.#seen.push(`${(ms / 1000).toFixed(3)} ${line}`)
  }

  #open({ options }: Command): Scene {
    const random = randomOf(options.get('random') ?? '0')
    const scene = openScene({
      ...(options.has('kind') && { kind: options.get('kind')! }),
      bytesMax: numberOf(options.get('bytes')),
      boxBytesMax: numberOf(options.get('box')),
      boxTriggerBytesMax: numberOf(options.get('boxTrigger')),
      hopsMax: numberOf(options.get('hops')),
      random,
      onSend: (request) => this.#see(`${nameOf(request)} <- ${request.event.id}`),
      observer: {
        accepted: (_broker, stored, by) => by && this.#see(`${by.name}: its reply ${stored.id} is stored`),
        refused: (_broker, status, events) => this.#see(`refused ${status} (${events})`),
        attempted: ({ name }, { id }, { status, error }, at, attempt) =>
          this.#see(
            `${name}: ${id} ${at === 'subscriber' ? '' : `${at} `}try ${attempt}: ${status}${error && ` ${error}`}`,
          ),
        parked: ({ name }, { id }, delayMs) => this.#see(`${name}: ${id} parked for ${Math.round(delayMs)}ms`),
        settled: ({ name }, { id }) => this.#see(`${name}: ${id} settled`),
        deadLettered: ({ name }, { id }, into, reason) => this.#see(`${name}: ${id} in the ${into}: ${reason}`),
        targetChanged: ({ name }, state) => this.#see(`${name} is ${state}`),
        lost: ({ name }, { events, cause }) => this.#see(`${name}: lost ${events}, ${cause}`),
        discarded: ({ name }, events) => this.#see(`${name}: discarded ${events}`),
      },
    })
    scene.network.answering = (request) => {
      const command = this.#always.get(nameOf(request))
      return command && answerOf(command)
    }
    return (this.#scene = scene)
  }

  /** What isn't named keeps the default, or what the trigger had. */
  async #setTrigger({ words: [name], options }: Command): Promise<void> {
    const before = [...this.#run.broker.triggers()].find((each) => each.name.name === name)?.config ?? trigger(name!)
    const { route, window } = before
    const policy: DeliveryPolicy = {
      ...(route.policy ?? DEFAULT_POLICY),
      ...(options.has('retry') && { retry: Number(options.get('retry')) }),
      ...(options.has('backoff') && { backoffDelayMs: duration(options.get('backoff')!) }),
    }
    const sink = options.get('sink')
    await this.#run.broker.setTrigger({
      ...before,
      filter: options.has('type') ? filterFor(options.get('type')) : before.filter,
      route: {
        subscriber: options.has('to') ? target(options.get('to')!) : route.subscriber,
        deadLetterSink: sink === undefined ? route.deadLetterSink : sink === 'none' ? undefined : target(sink),
        ...replyTo(options.get('reply'), route),
        policy,
        concurrency: Number(options.get('concurrency') ?? route.concurrency),
        ratePerSecond: numberOf(options.get('rate')) ?? route.ratePerSecond,
      },
      order: options.has('order') ? (options.get('order') === 'key' ? 'key' : 'none') : before.order,
      window: options.has('window') ? { ...window, events: Number(options.get('window')) } : window,
      paused: options.has('paused') ? options.get('paused') === 'true' : before.paused,
    })
  }

  /** `id=1,2`: one request with two events. `id=1..9`: nine requests. */
  async #accept({ options }: Command): Promise<void> {
    const { id = '1', bytes, headers, ...attributes } = Object.fromEntries(options)
    const data = bytes === undefined ? undefined : Buffer.alloc(Number(bytes))
    const make = (each: string): Event => event({ ...attributes, id: each }, data, headers?.split(/[:,]/))
    const [first, last] = id.split('..').map(Number)
    const requests =
      last === undefined
        ? [id.split(',').map(make)]
        : Array.from({ length: last - first! + 1 }, (_, i) => [make(String(first! + i))])
    for (const events of requests) {
      await this.#run.broker.accept(events).catch((error: unknown) => {
        if (!(error instanceof SluiceError)) throw error
        this.#see(`${error.status} ${error.code}`)
      })
    }
  }

  /** The oldest attempt under way at that target, or the one with that id, or all of them. */
  #answer(command: Command): void {
    const { words, options } = command
    const { underWay } = this.#run.network
    const there = underWay.filter(({ request }) => nameOf(request) === words[0])
    const chosen: (Attempt | undefined)[] = options.has('id')
      ? there.filter(({ request }) => request.event.id === options.get('id'))
      : words.includes('all')
        ? there
        : there.slice(0, 1)
    if (chosen.length === 0) this.#see(`nothing is under way at ${words[0]}`)
    for (const attempt of chosen) attempt?.answer(answerOf(command))
  }

  /** What the target is shown of the oldest attempt under way there. */
  #showSent(name: string): void {
    const found = this.#run.network.underWay.find(({ request }) => nameOf(request) === name)
    if (found === undefined) return this.#see(`nothing is under way at ${name}`)
    const { request } = found
    for (const [attribute, value] of request.event.attributes) {
      const decoded = Buffer.from(String(value), 'base64').toString()
      const text = attribute === 'knativeerrordata' ? `base64 of "${decoded}"` : value
      this.#see(`  ${attribute}: ${text}`)
    }
    const headers = [...request.headers, ...request.event.headers]
    this.#see(`  headers ${headers.join(' ')}, ${request.format}, within ${request.timeoutMs}ms`)
  }

  #showStatus(name: string): void {
    const status = this.#run.broker.status(`uid-${name}`)
    if (status === undefined) return this.#see(`no trigger ${name}`)
    const { lag, state, rate, lastFailure = 'no failure', boxFull, redriving } = status
    const held = rate === undefined ? '' : `, ${rate.queued} wait for ${rate.perSecond}/s`
    const counts = `${lag.events} to go, ${lag.inFlight} out, ${lag.parked} parked`
    const marks = `${boxFull ? ', box full' : ''}${redriving > 0 ? `, ${redriving} redriving` : ''}`
    this.#see(`${name}: ${state}, ${counts}${held}${marks}; ${lastFailure}`)
  }

  #showUsage(): void {
    const { events, bytes } = this.#run.channel.usage()
    this.#see(`the channel holds ${events} events${events === 0 ? `, ${bytes} bytes` : ''}`)
  }

  async #showBox(): Promise<void> {
    for (const { id, trigger: of, reason, attempts, code, error, event: kept } of await this.#run.box.list()) {
      this.#see(`  box ${id}: ${kept.id} of ${of}, ${reason}, ${attempts} tries, ${code} ${error.slice(0, 60)}`)
    }
    this.#see(`the box holds ${this.#run.box.usage().events}`)
  }

  /** `redrive 1 2`, `redrive trigger=billing`. */
  async #redrive({ words, options }: Command): Promise<void> {
    const trigger = options.get('trigger')
    const choice = trigger === undefined ? words : { trigger: `default/${trigger}` }
    try {
      const { entries, missing } = await this.#run.broker.redrive(choice)
      this.#see(`redriving ${entries}${missing.length > 0 ? `, there is no ${missing.join(', ')}` : ''}`)
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error
      this.#see(`${error.status} ${error.code}: ${error.message}`)
    }
  }

  /** `purge 1 2`, `purge trigger=billing`, `purge all`. */
  async #purge({ words, options }: Command): Promise<void> {
    const trigger = options.get('trigger')
    const choice = words[0] === 'all' ? 'all' : trigger === undefined ? words : { trigger: `default/${trigger}` }
    this.#see(`purged ${await this.#run.broker.purge(choice)}`)
  }

  /** `quietly`: what happens meanwhile is not written down. */
  async #advance({ words: [time, quietly] }: Command): Promise<void> {
    const seen = this.#seen.length
    await this.#run.pass(duration(time!))
    if (quietly === 'quietly') this.#seen.length = seen
  }

  /** Closes, while time passes. */
  async #close({ words: [time] }: Command): Promise<void> {
    const state = { closed: false }
    void this.#run.broker.close({ deadlineMs: duration(time!) }).then(() => (state.closed = true))
    await this.#run.quiet()
    while (!state.closed) await this.#run.pass(20)
    this.#see('closed')
  }
}

/** `nobody`, or where they go. */
function replyTo(given: string | undefined, { replyTo: before }: Route): Pick<Route, 'replyTo'> {
  const to = given === undefined ? before : given === 'nobody' ? given : target(given)
  return to === undefined ? {} : { replyTo: to }
}

function nameOf({ target: { origin } }: AttemptRequest): string {
  return origin.slice('http://'.length)
}

function answerOf({ words, options }: Command): Outcome {
  const status = Number(words.find((word) => /^\d+$/.test(word)) ?? 200)
  const [id, type = 'order'] = options.get('reply')?.split(':') ?? []
  const body = options.get('body')
  const replyData = options.has('replyBytes') ? Buffer.alloc(Number(options.get('replyBytes'))) : undefined
  if (options.has('error')) return outcome(0, { verdict: 'dead', pressure: false, error: options.get('error')! })
  return outcome(status, {
    reply: id === undefined ? undefined : event({ id, type, source: '/reply' }, replyData),
    response: body === undefined ? undefined : Buffer.from(body),
    retryAfterMs: duration(options.get('retryAfter') ?? '0ms'),
  })
}

/** One number for ever, or numbers that take turns: `0,0.5`. */
function randomOf(text: string): () => number {
  const numbers = text.split(',').map(Number)
  let turn = 0
  return () => numbers[turn++ % numbers.length]!
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text)
}

function duration(text: string): number {
  const [, amount, unit] = /^([\d.]+)(ms|s|m)$/.exec(text) ?? []
  if (amount === undefined) throw new Error(`no duration: ${text}`)
  return Number(amount) * (unit === 'ms' ? 1 : unit === 's' ? 1000 : 60_000)
}
