// WebhookSource: a request comes in, and is an event once it has proved who sent it.
//
// From: server/src/webhooks.ts, with the raw body. In this order: the handshake and its rate, the signature over the raw
// bytes (401), a greeting, the attributes (422), a replay, the sink. The answer comes once the event is stored.

import { decodeHttp, SluiceError, type Event } from '@sluice/event'
import {
  Handshake,
  parseTemplate,
  type Source,
  type SourceContext,
  type SourceDriver,
  type SourceRequest,
  type SourceResponse,
} from '@sluice/source'
import { notSetUp } from './errors.ts'
import { choiceOf, mappingOf, type Choice, type Mapping } from './mapping.ts'
import type { Greeting, Preset } from './preset.ts'
import { PRESETS } from './presets.ts'
import { openReplays, type Replays } from './replays.ts'
import { ROOTS, Scope, type Check } from './scope.ts'
import { signedRequest } from './sign.ts'
import { checkKey } from './signature.ts'
import { confirmSubscription, fetchByHttps, type FetchText } from './sns.ts'
import type { Verify, WebhookSpec } from './spec.ts'
import { Tally } from './tally.ts'
import { checkOf, isFor } from './verify.ts'

/** Of {@link webhookSource}. */
export interface WebhookOptions {
  /** How certificates and confirmations of AWS are fetched. Default: by HTTPS, within 5 s. */
  readonly fetchText?: FetchText
}

/** The source that takes webhooks. */
export function webhookSource({ fetchText = fetchByHttps }: WebhookOptions = {}): SourceDriver {
  return {
    kinds: [{ apiVersion: 'sources.sluice.dev/v1alpha1', kind: 'WebhookSource' }],
    async open(context) {
      const spec = context.spec as unknown as WebhookSpec
      const replays = await openReplays(context.checkpoint, context.clock, spec.replayWindowMs)
      return new Webhook(context, spec, replays, fetchText)
    },
  }
}

class Webhook implements Source {
  readonly http: NonNullable<Source['http']>
  readonly #context: SourceContext
  readonly #spec: WebhookSpec
  readonly #preset: Preset
  readonly #ways: readonly Verify[]
  readonly #check: Check
  readonly #mapping: Mapping | undefined
  readonly #delivery: Choice | undefined
  readonly #greetings: readonly { greeting: Greeting; isMet: (scope: Scope) => boolean; body: Choice }[]
  readonly #handshake: Handshake
  readonly #replays: Replays
  readonly #tally: Tally
  readonly #fetchText: FetchText
  readonly #underWay = new Set<Promise<unknown>>()
  #isStopped = false

  constructor(context: SourceContext, spec: WebhookSpec, replays: Replays, fetchText: FetchText) {
    const preset = presetOf(spec)
    this.#context = context
    this.#spec = spec
    this.#preset = preset
    this.#ways = waysOf(spec, preset)
    this.#check = checkOf(this.#ways, fetchText)
    if (preset.event !== 'cloudevents') {
      const common = { source: `/webhooks/${context.namespace}/${context.name}`, ...preset.event }
      this.#mapping = mappingOf(spec.event ?? {}, common, preset.byEvent)
      this.#delivery = choiceOf(preset.delivery ?? spec.event?.id ?? [])
    }
    this.#greetings = (preset.greetings ?? []).map((greeting) => ({
      greeting,
      isMet: conditionOf(greeting.when),
      body: choiceOf(greeting.answer.body ?? []),
    }))
    this.#handshake = new Handshake(spec, context.clock)
    this.#replays = replays
    this.#tally = new Tally(context.clock)
    this.#fetchText = fetchText
    this.http = {
      bytesMax: spec.bytesMax,
      handle: (request) => this.#handle(request),
      sign: (fixture) =>
        signedRequest(fixture, {
          ways: this.#ways,
          secrets: this.#secrets(),
          example: preset.example,
          url: context.url,
          nowMs: context.clock.now(),
        }),
    }
  }

  // --- A request ---

  async #handle(request: SourceRequest): Promise<SourceResponse> {
    const answered = this.#answer(request)
    this.#underWay.add(answered)
    try {
      return await answered
    } catch (error) {
      this.#tally.refused(error)
      throw error
    } finally {
      this.#underWay.delete(answered)
    }
  }

  async #answer(request: SourceRequest): Promise<SourceResponse> {
    if (this.#isStopped) throw stopped()
    if (request.method === 'OPTIONS') return this.#consent(request)
    if (request.method !== 'POST') throw notAllowed(request.method)
    this.#handshake.admit(request.header(ORIGIN))
    const scope = new Scope(request, this.#preset.formField)
    const checked = this.#check(scope, this.#secrets(), this.#context.clock.now())
    if (checked !== undefined) await checked
    const greeted = this.#greet(scope)
    if (greeted !== undefined) return greeted
    return this.#mapping === undefined ? this.#storeEvents(request) : this.#storeEvent(scope, this.#mapping)
  }

  /** Where no origin is allowed, it is as if OPTIONS were not there. */
  #consent(request: SourceRequest): SourceResponse {
    const origin = request.header(ORIGIN)
    if (this.#spec.allowedOrigins === undefined || origin === undefined) return { status: 405, headers: ALLOW }
    const consent = this.#handshake.consent(origin, request.header('webhook-request-rate'))
    return { status: 200, headers: [...ALLOW, ...consent] }
  }

  #greet(scope: Scope): Promise<SourceResponse> | undefined {
    const met = this.#greetings.find(({ isMet }) => isMet(scope))
    return met && this.#greetBy(met.greeting, met.body, scope)
  }

  async #greetBy({ answer, first }: Greeting, body: Choice, scope: Scope): Promise<SourceResponse> {
    if (first === 'confirmSubscription') await confirmSubscription(scope, this.#fetchText)
    this.#tally.shookHands()
    const { status, contentType } = answer
    return {
      status,
      body: body(scope) ?? '',
      ...(contentType !== undefined && { headers: ['Content-Type', contentType] }),
    }
  }

  async #storeEvent(scope: Scope, mapping: Mapping): Promise<SourceResponse> {
    const event = mapping(scope, this.#context.clock.now())
    const name = this.#delivery?.(scope)
    const isNew = await this.#store(event, name)
    return { status: this.#preset.answer, stored: isNew ? [event] : [] }
  }

  /** The request is events already, one or a batch. */
  async #storeEvents(request: SourceRequest): Promise<SourceResponse> {
    const events = decodeHttp([...request.rawHeaders], request.body, { maxEventBytes: this.#spec.bytesMax })
    const stored: Event[] = []
    for (const event of events) if (await this.#store(event, `${event.source}\n${event.id}`)) stored.push(event)
    return { status: this.#preset.answer, stored }
  }

  /** `name`: of the delivery, where it has one. Resolves with whether it is new. */
  async #store(event: Event, name: string | undefined): Promise<boolean> {
    const emit = (): Promise<void> => this.#context.emit([event])
    const isNew = name === undefined ? await emit().then(() => true) : await this.#replays.once(name, emit)
    if (isNew) this.#tally.accepted(event)
    else this.#tally.replayed()
    return isNew
  }

  /** Asked for at each request: a changed secret counts at once. */
  #secrets(): Buffer[] {
    try {
      return (this.#spec.secretRefs ?? []).map((reference) => this.#context.secret(reference))
    } catch (error) {
      throw notSetUp(error)
    }
  }

  // --- The source ---

  status(): ReturnType<Source['status']> {
    const { size, forgotten, unkept } = this.#replays
    const { durable } = this.#context.checkpoint
    const known = { known: size, durable, ...(forgotten > 0 && { forgotten }), ...(unkept !== undefined && { unkept }) }
    const trouble = this.#trouble()
    return {
      ...(trouble !== undefined && { trouble }),
      fields: { verify: this.#ways.map(strengthOf), requests: this.#tally.fields(), replayWindow: known },
    }
  }

  /** What keeps every request out, however well it is signed. */
  #trouble(): string | undefined {
    try {
      const secrets = (this.#spec.secretRefs ?? []).map((reference) => this.#context.secret(reference))
      for (const way of this.#ways) {
        if (way.scheme !== 'hmac' && way.scheme !== 'ed25519') continue
        for (const secret of secrets)
          if (this.#ways.length === 1 || isFor(secret, way, this.#ways)) checkKey(secret, way)
      }
      return undefined
    } catch (error) {
      return (error as Error).message
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await Promise.allSettled(this.#underWay)
  }
}

const ORIGIN = 'webhook-request-origin'
const ALLOW = ['Allow', 'POST']

/** Of a spec without preset: what is common to all. */
const NO_PRESET: Preset = {
  ways: [],
  event: {},
  answer: 202,
  example: { contentType: 'application/json', headers: [] },
}

function presetOf({ preset }: WebhookSpec): Preset {
  return preset === undefined ? NO_PRESET : PRESETS[preset]!
}

/** The way of the spec; else those of the preset, with what the spec says beside it. */
function waysOf({ verify = {} }: WebhookSpec, { ways }: Preset): readonly Verify[] {
  if (verify.scheme !== undefined) return [verify]
  const { toleranceMs, topicArns } = verify
  return ways.map((way) => {
    if (way.scheme === 'sns') return { ...way, topicArns: topicArns ?? way.topicArns }
    if (toleranceMs === undefined || !('timestamp' in way) || way.timestamp === undefined) return way
    return { ...way, timestamp: { ...way.timestamp, toleranceMs } }
  })
}

function conditionOf(when: Greeting['when']): (scope: Scope) => boolean {
  const wanted = Object.entries(when).map(([text, value]) => [parseTemplate(text, ROOTS), value] as const)
  return (scope) => wanted.every(([template, value]) => template.fill(scope.lookup) === value)
}

/** For people: what a token proves, a network may have seen. */
function strengthOf({ scheme }: Verify): string {
  if (scheme === 'none') return 'none: anybody may send'
  const isSigned = scheme === 'hmac' || scheme === 'ed25519' || scheme === 'sns'
  return isSigned ? scheme : `${scheme}, weak: the secret travels with each request`
}

function stopped(): SluiceError {
  return new SluiceError('SLUICE_DRAINING', 'This webhook is shutting down. Nothing was stored.', {
    status: 503,
    retryable: true,
    retryAfterMs: 1000,
  })
}

function notAllowed(method: string): SluiceError {
  return new SluiceError('SLUICE_METHOD_NOT_ALLOWED', `${method} is not for events: send them by POST.`, {
    status: 405,
  })
}
