// What runs beside what is declared: `GET /sluice/v1/{brokers|channels}/{namespace}/{name}`, and `.../triggers/...` and
// `.../subscriptions/...`. Its numbers change with every event, so that they stand in no status.

import type { FastifyInstance } from 'fastify'
import type { Broker, TriggerConfig, TriggerStatus } from '@sluice/broker'
import type { Controller } from '@sluice/controller'
import { SluiceError } from '@sluice/event'
import { brokerOf } from './brokers.ts'

interface Params {
  namespace: string
  name: string
}

export function mountRunning(routes: FastifyInstance, controller: Controller): void {
  routes.get<{ Params: Params }>('/brokers/:namespace/:name', ({ params }) => {
    const broker = brokerOf(controller, params.namespace, params.name)
    return { channel: channelOf(controller, broker), deadLetters: broker.box.usage() }
  })
  routes.get<{ Params: Params }>('/channels/:namespace/:name', ({ params: { namespace, name } }) => {
    const channel = controller.channel(namespace, name)
    if (channel === undefined)
      throw (
        controller.unavailable(namespace, name, 'Channel') ??
        nothingRuns('SLUICE_CHANNEL_UNKNOWN', 'Channel', namespace, name)
      )
    return { channel: channelOf(controller, channel), deadLetters: channel.box.usage() }
  })
  for (const [path, kind] of [['triggers', 'Trigger'] as const, ['subscriptions', 'Subscription'] as const]) {
    routes.get<{ Params: Params }>(`/${path}/:namespace/:name`, ({ params }) => {
      const { broker, trigger } = triggerOf(controller, kind, params)
      return { ...running(trigger), channel: channelOf(controller, broker) }
    })
  }
}

type RunningTrigger = { readonly config: TriggerConfig; readonly status: TriggerStatus }

function triggerOf(
  controller: Controller,
  kind: 'Trigger' | 'Subscription',
  { namespace, name }: Params,
): { broker: Broker; trigger: RunningTrigger } {
  for (const broker of controller.brokers()) {
    if ((broker.kind === 'Broker') !== (kind === 'Trigger')) continue
    for (const trigger of broker.triggers()) {
      if (trigger.name.namespace === namespace && trigger.name.name === name) return { broker, trigger }
    }
  }
  throw nothingRuns(NOT_FOUND[kind], kind, namespace, name)
}

const NOT_FOUND = { Trigger: 'SLUICE_TRIGGER_NOT_FOUND', Subscription: 'SLUICE_SUBSCRIPTION_NOT_FOUND' } as const

function nothingRuns(code: string, kind: string, namespace: string, name: string): SluiceError {
  const title = `${kind} ${namespace.slice(0, 63)}/${name.slice(0, 63)}`
  return new SluiceError(code, `No ${title} runs. Its status says why, where it is there.`, {
    status: 404,
  })
}

function running({ config, status }: RunningTrigger): object {
  const { route, window, order, paused } = config
  const { lag, state, rate, lastFailure, boxFull, redriving } = status
  return {
    delivery: route.policy,
    subscriberUri: route.subscriber.url,
    deadLetterSinkUri: route.deadLetterSink?.url,
    replyUri: typeof route.replyTo === 'object' ? route.replyTo.url : undefined,
    order,
    window: window.events,
    concurrency: route.concurrency,
    rate,
    paused,
    state,
    lastFailure,
    boxFull,
    redriving,
    lag: { ...lag, oldest: lag.oldest === undefined ? undefined : new Date(lag.oldest).toISOString() },
  }
}

function channelOf(controller: Controller, broker: Broker): object {
  const { capabilities } = broker.channel
  return { ...controller.channelState(broker), ...broker.channel.usage(), capabilities }
}
