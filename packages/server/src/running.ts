// What runs beside what is declared: `GET /sluice/v1/brokers/{namespace}/{name}` and `.../triggers/{namespace}/{name}`. Its
// numbers change with every event, so that they stand in no status.

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
  routes.get<{ Params: Params }>('/triggers/:namespace/:name', ({ params }) => {
    const { broker, trigger } = triggerOf(controller, params)
    return { ...running(trigger), channel: channelOf(controller, broker) }
  })
}

type RunningTrigger = { readonly config: TriggerConfig; readonly status: TriggerStatus }

function triggerOf(controller: Controller, { namespace, name }: Params): { broker: Broker; trigger: RunningTrigger } {
  for (const broker of controller.brokers()) {
    for (const trigger of broker.triggers()) {
      if (trigger.name.namespace === namespace && trigger.name.name === name) return { broker, trigger }
    }
  }
  const title = `${namespace.slice(0, 63)}/${name.slice(0, 63)}`
  throw new SluiceError(
    'SLUICE_TRIGGER_NOT_FOUND',
    `No Trigger ${title} runs. Its status says why, where it is there.`,
    {
      status: 404,
    },
  )
}

function running({ config, status }: RunningTrigger): object {
  const { route, window, order, paused } = config
  const { lag, state, lastFailure, boxFull, redriving } = status
  return {
    delivery: route.policy,
    subscriberUri: route.subscriber.url,
    deadLetterSinkUri: route.deadLetterSink?.url,
    order,
    window: window.events,
    concurrency: route.concurrency,
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
