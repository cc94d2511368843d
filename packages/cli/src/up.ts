// `sluice up`: read the files, start, say where, and stop in good order.

import { closeSync, openSync, statSync } from 'node:fs'
import { systemClock } from '@sluice/clock'
import {
  dataDirectory,
  needsData,
  openController,
  type ChannelKind,
  type Controller,
  type DataDirectory,
} from '@sluice/controller'
import { deliverer, type AllowedTargets, type Deliverer } from '@sluice/delivery'
import { SluiceError } from '@sluice/event'
import {
  isBroker,
  isChannel,
  isSubscription,
  isTrigger,
  loadFiles,
  triggerSettings,
  type Loaded,
  type Problem,
  type Resource,
  type Subscription,
  type Trigger,
} from '@sluice/resource'
import { metrics, openServer, storageLog, trace, withLog, type SluiceServer } from '@sluice/server'
import type { SourceDriver } from '@sluice/source'
import type { Logger } from 'pino'
import { EXIT, exitWith } from './exit.ts'
import { keepUp, type LiveFiles } from './live-files.ts'
import { openLog } from './log.ts'
import { loadSources } from './own-sources.ts'
import { noteParents } from './parents.ts'
import { caCertsOf, cautions, guardsOf, ingressOpen, type Guards, type PublicFlags } from './public.ts'
import { fail, tellMachines, tellPeople, type Tell } from './tell.ts'
import { VERSION } from './version.ts'

/** The flags of `sluice up`, read and checked. */
export interface UpOptions extends PublicFlags {
  data: string
  channel: ChannelKind
  targets: AllowedTargets
  maxEventBytes: number
  maxConnections: number
  memoryBytes: number
  hops: number
  /** Seconds. */
  grace: number
  logLevel: string
  logFormat: 'text' | 'json'
  /** Modules of sources of somebody's own. */
  source?: string[]
  /** Whether files that change are applied by themselves. */
  watch: boolean
}

interface Running {
  readonly at: { readonly ingress: string; readonly api: string }
  /** How others reach the ingress. */
  readonly base: string
  readonly controller: Controller
  readonly data: DataDirectory
  readonly server: SluiceServer
  readonly files: LiveFiles
  readonly guards: Guards
  readonly deliveries: Deliverer
  readonly log: Logger
  readonly tell: Tell
  readonly graceMs: number
}

/**
 * Runs until a signal ends it. Resolves with the addresses of its listeners once it is ready. Exits with 1 where it
 * can't start: nothing starts half.
 */
export async function up(paths: string[], options: UpOptions): Promise<{ ingress: string; api: string }> {
  const watchParents = noteParents()
  const log = openLog({ level: options.logLevel, format: options.logFormat })
  const tell = options.logFormat === 'json' ? tellMachines(log) : tellPeople
  const guards = await guardsOf(options, systemClock, tell)
  refuseOneAddressTwice(options, tell)
  refuseFileAsData(options.data, tell)
  const sources = await loadSources(options.source, (message) => fail(`sluice up: ${message}`, tell))
  const loaded = await loadFiles(paths)
  report(loaded.problems, options, tell)
  try {
    const running = await start({ paths, loaded, sources, options, guards, log, tell })
    stopOnSignal(running, watchParents) // before anybody is told that it is there
    tellReady(running, loaded, options)
    return running.at
  } catch (error) {
    if (error instanceof SluiceError) fail(`sluice up: ${error.message}${hintFor(error)}`, tell)
    throw error
  }
}

function hintFor({ code }: SluiceError): string {
  return code === 'SLUICE_LISTEN' ? ' The addresses are those of --listen and --api.' : ''
}

/** Tells every problem of the files at once; errors end it here. */
function report(problems: readonly Problem[], { listen }: UpOptions, tell: Tell): void {
  if (problems.length > 0) tell.problems(problems)
  const errors = problems.filter(isError)
  if (errors.length === 0) return
  // The files are right by themselves; it is the address that is not for them.
  if (errors.every(({ code }) => code === 'SLUICE_INGRESS_OPEN'))
    fail(ingressOpen(listen, errors.length), tell, EXIT.usage)
  const what = `${errors.length} ${errors.length === 1 ? 'error' : 'errors'} in the files`
  fail(`sluice up: ${what}; nothing was started.`, tell, EXIT.failed)
}

function isError({ severity }: Problem): boolean {
  return severity === 'error'
}

/** Where it is no folder, it is a slip. */
function refuseFileAsData(path: string, tell: Tell): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== false) return
  fail(`sluice up: --data ${path} is no folder. Name one, or a path where there is nothing yet.`, tell)
}

interface Prepared {
  readonly paths: readonly string[]
  readonly loaded: Loaded
  readonly sources: readonly SourceDriver[]
  readonly options: UpOptions
  readonly guards: Guards
  readonly log: Logger
  readonly tell: Tell
}

async function start({ paths, loaded, sources, options, guards, log, tell }: Prepared): Promise<Running> {
  const clock = systemClock
  const counted = metrics()
  const traced = trace(clock)
  const data = dataDirectory({ path: options.data, clock })
  // Before anything else: a second process has to leave no trace.
  if (options.channel === 'log' || needsData(loaded.resources, options.channel)) await data.open()
  const deliveries = deliverer({ clock, targets: options.targets, replyBytesMax: options.maxEventBytes })
  const controller = openController({
    clock,
    deliverer: deliveries,
    observer: traced.noting(withLog(counted.observer, log, clock)),
    memoryBytes: options.memoryBytes,
    hopsMax: options.hops,
    channel: options.channel,
    data,
    sources,
    tokensRequired: guards.tokensRequired,
    storage: { ...storageLog(log), synced: (ms) => counted.synced(ms) },
    eventTypesLimited: ({ kind, namespace, name }, why) => log.warn({ [kind.toLowerCase()]: `${namespace}/${name}`, why }, 'not every type of events gets an EventType'), // prettier-ignore
  })
  const server = openServer({
    controller,
    metrics: counted,
    trace: traced,
    clock,
    version: VERSION,
    limits: { eventBytesMax: options.maxEventBytes, connectionsMax: options.maxConnections },
    log,
    ...guards,
  })
  const at = await server.listen({ ingress: options.listen, api: options.api })
  const base = options.publicUrl?.replace(/\/+$/, '') ?? at.ingress
  const trust = (): void => controller.trust(caCertsOf(guards.certificates, base))
  trust()
  guards.certificates.ingress?.onChange(trust)
  report(await controller.apply(loaded.resources, { base, locate: loaded.locate }), options, tell)
  const applied = (broken: string | undefined): void => server.setBroken(broken)
  applied(undefined)
  const files = await keepUp({ paths, loaded, controller, base, clock, tell, watch: options.watch, applied })
  return { at, base, controller, data, server, files, guards, deliveries, log, tell, graceMs: options.grace * 1000 }
}

/** The line that programs wait for; then what a person wants to know: what runs, what doesn't, and what to try. */
function tellReady(
  { controller, server, guards, at, base, tell }: Running,
  { files }: Loaded,
  options: UpOptions,
): void {
  const { data, watch } = options
  server.setState('ready')
  process.stdout.write(`sluice ready ingress=${at.ingress} api=${at.api} data=${data}\n`)
  const lines = [`Sluice ${VERSION}: ${files.length} ${files.length === 1 ? 'file' : 'files'} applied.`]
  for (const line of controller.summary()) lines.push(`  ${line}`)
  for (const line of standstills(controller.store.list(), at.api)) lines.push(`  ${line}`)
  for (const line of cautions(options, guards, base)) lines.push(`  ${line}`)
  const paused = controller.store.list().filter(isPausedByOperation)
  if (paused.length > 0) lines.push(`  Paused by sluice pause: ${few(paused.map(titleOf))}.`)
  lines.push(`  Metrics ${at.api}/metrics, health ${at.api}/readyz. Ctrl-C stops.`)
  lines.push(
    watch ? '  Files that change are applied at once.' : '  Files that change are applied on SIGHUP (--no-watch).',
  )
  tell.lines('info', lines)
}

/** What is no mistake, and yet keeps events from going anywhere. */
function standstills(resources: readonly Resource[], api: string): string[] {
  const hubs = resources.filter((resource) => isBroker(resource) || isChannel(resource))
  const takers = resources.filter((resource) => isTrigger(resource) || isSubscription(resource))
  const used = new Set(takers.map(titleOfSource))
  const idle = hubs.filter((hub) => !used.has(titleOf(hub)))
  const idleBrokers = idle.filter(isBroker).map(pathOf)
  const idleChannels = idle.filter(isChannel).map(titleOf)
  const paused = takers.filter((taker) => triggerSettings(taker).paused).map(titleOf)
  const lines: string[] = []
  if (hubs.length === 0)
    lines.push(
      'No Broker and no Channel is declared, so nothing takes events. Add one to the files, or through the API: ' +
        `kubectl --server ${api} apply -f FILE.`,
    )
  if (idleBrokers.length > 0) {
    lines.push(`No Trigger is declared for Broker ${few(idleBrokers)}: what is sent there goes nowhere.`)
  }
  if (idleChannels.length > 0) {
    lines.push(`No Subscription is declared for ${few(idleChannels)}: what is sent there goes nowhere.`)
  }
  if (paused.length > 0) lines.push(`Paused by sluice.dev/paused: ${few(paused)}; what matches is kept and waits.`)
  return lines
}

function isPausedByOperation({ status }: Resource): boolean {
  return (status?.['paused'] as { by?: unknown } | undefined)?.by === 'operation'
}

/** Of the Broker or channel whose events it takes. */
function titleOfSource(taker: Trigger | Subscription): string {
  const { namespace } = taker.metadata
  if (isTrigger(taker)) return `Broker ${namespace}/${taker.spec.broker}`
  return `${taker.spec.channel.kind} ${namespace}/${taker.spec.channel.name}`
}

function titleOf(resource: Resource): string {
  return `${resource.kind} ${pathOf(resource)}`
}

function pathOf({ metadata: { namespace, name } }: Resource): string {
  return `${namespace}/${name}`
}

function few(names: readonly string[]): string {
  const more = names.length > NAMES_MAX ? ` and ${names.length - NAMES_MAX} more` : ''
  return `${names.slice(0, NAMES_MAX).join(', ')}${more}`
}

const NAMES_MAX = 5

/** SIGINT, SIGTERM or the end of npx: finish within the grace. A second signal ends it at once. SIGHUP reads the files. */
function stopOnSignal(running: Running, watchParents: ReturnType<typeof noteParents>): void {
  let stoppedAtMs: number | undefined
  const stop = (why: string): void => {
    const nowMs = systemClock.monotonic()
    if (stoppedAtMs !== undefined) {
      if (nowMs - stoppedAtMs < SAME_SIGNAL_MS) return
      fail(`sluice up: stopped at once; ${whatBecomesOfEvents(running.controller)}.`, running.tell)
    }
    stoppedAtMs = nowMs
    running.log.info({ why }, 'stopping')
    shutDown(running).then(
      () => exitWith(EXIT.ok),
      (error: unknown) => fail(`sluice up: stopping failed: ${String(error)}`, running.tell),
    )
  }
  process.on('SIGINT', () => stop('SIGINT'))
  process.on('SIGTERM', () => stop('SIGTERM'))
  const hadTerminal = hasTerminal()
  process.on('SIGHUP', () => {
    if (hadTerminal && !hasTerminal()) stop('its terminal was closed')
    else reload(running)
  })
  watchParents(() => {
    // After a Ctrl-C they end first, while this one still finishes its work: that is no second signal.
    if (stoppedAtMs === undefined) stop('the process that started it has ended')
  })
}

/** Files, and what guards the listeners, are read at once. */
function reload({ files, guards: { certificates } }: Running): void {
  files.reload()
  for (const certificate of Object.values(certificates)) void certificate.reload()
}

function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'))
    return true
  } catch {
    return false
  }
}

/** A Ctrl-C goes to every process of its group, and comes twice where one that started this one passes it on. */
const SAME_SIGNAL_MS = 250

function whatBecomesOfEvents(controller: Controller): string {
  const durable = Array.from(controller.brokers(), ({ channel }) => channel.capabilities.durable)
  if (durable.every(Boolean)) return 'what is stored is delivered after the next start'
  return durable.some(Boolean) ? 'events in memory are lost, those on disk are not' : 'events in memory are lost'
}

/** Not ready first, then brokers finish what is under way, then connections close. */
async function shutDown({ controller, data, server, files, guards, deliveries, log, graceMs }: Running): Promise<void> {
  const endMs = systemClock.monotonic() + graceMs
  server.setState('draining')
  await files.close()
  for (const certificate of Object.values(guards.certificates)) certificate.close()
  await controller.close({ deadlineMs: graceMs })
  tellKept(controller, log)
  await data.close()
  await deliveries.close({ deadlineMs: 0 })
  const leftMs = Math.max(0, endMs - systemClock.monotonic())
  await server.close({ deadlineMs: Math.min(leftMs, ANSWERS_MS_MAX) })
}

/** What a channel in memory could not deliver was told as lost. */
function tellKept(controller: Controller, log: Logger): void {
  let events = 0
  for (const broker of controller.brokers()) {
    if (!broker.channel.capabilities.durable) continue
    for (const { status } of broker.triggers()) events += status.lag.events
  }
  if (events > 0) log.info({ events }, 'kept on disk, and delivered after the next start')
}

/** Requests that are not whole yet can only be refused now: so long their senders may take to end them. */
const ANSWERS_MS_MAX = 1000

function refuseOneAddressTwice({ listen, api }: UpOptions, tell: Tell): void {
  if (listen.port === 0 || listen.port !== api.port || listen.host !== api.host) return
  const message = `sluice up: --listen and --api are both ${api.host}:${api.port}. Give them different ports.`
  fail(message, tell, EXIT.usage)
}
