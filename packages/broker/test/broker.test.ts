// What the broker promises whoever runs it: the controller, the server, an operator.

import { describe, expect, test } from 'vitest'
import { channelUnavailable, type Channel, type Loss, type Subscription } from '@sluice/channel'
import { DEFAULT_POLICY } from '@sluice/delivery'
import { SluiceError, type Event } from '@sluice/event'
import { event, filterFor, openScene, outcome, target, trigger } from './scene.ts'

describe('a batch', () => {
  test('that has no room as a whole is refused whole, for its sender comes again with all of it (CE-28)', async () => {
    const refused: string[] = []
    const scene = openScene({
      bytesMax: 8000,
      observer: { refused: (_broker, status, events) => refused.push(`${status} ${events}`) },
    })
    await scene.broker.setTrigger(trigger('billing'))
    const batch = (count: number): Event[] =>
      Array.from({ length: count }, (_, n) => event({ id: String(n) }, Buffer.alloc(1000)))
    await scene.broker.accept(batch(4))
    await expect(scene.broker.accept(batch(3))).rejects.toMatchObject({
      code: 'SLUICE_CHANNEL_FULL',
      status: 429,
      retryAfterMs: 1000,
      message: expect.stringMatching(/has no room for all 3 events of this batch\. Nothing was stored\.$/) as string,
    })
    expect(scene.channel.usage().events).toBe(4)
    expect(refused).toEqual(['429 3'])
    expect(scene.broker.isFull).toBe(true)
    while (scene.network.underWay.length > 0) scene.network.underWay[0]!.answer(outcome(202))
    await scene.broker.accept(batch(3))
    expect(scene.network.underWay).toHaveLength(3)
  })

  test('for which there is never room, for the channel is smaller, is 413, and the channel is not full for that', async () => {
    const { broker, channel } = openScene({ bytesMax: 8000 })
    await broker.setTrigger(trigger('billing'))
    const batch = Array.from({ length: 6 }, (_, n) => event({ id: String(n) }, Buffer.alloc(1000)))
    await expect(broker.accept(batch)).rejects.toMatchObject({
      status: 413,
      message: expect.stringMatching(/which has 6400 for events from outside; send smaller ones/) as string,
    })
    expect(channel.usage().events).toBe(0)
    expect(broker.roomMax).toBe(6400)
    expect(broker.room(6401)).toBeGreaterThan(0)
    expect(broker.isFull).toBe(false)
  })

  test('of which one is larger than the channel takes is refused whole (CE-28)', async () => {
    const { broker, channel } = openScene()
    const large = event({ id: '2' }, Buffer.alloc(channel.capabilities.maxEventBytes))
    await broker.setTrigger(trigger('billing'))
    await expect(broker.accept([event({ id: '1' }), large])).rejects.toMatchObject({ status: 413 })
    expect(channel.usage().events).toBe(0)
  })

  test('that the channel takes in part, which nobody could foresee, is refused with the number of what is stored', async () => {
    const refused: string[] = []
    const scene = openScene({
      bytesMax: 40_000,
      observer: { refused: (_broker, status, events) => refused.push(`${status} ${events}`) },
    })
    for (let n = 0; n < 100; n++) await scene.broker.setTrigger(trigger(`t${n}`)) // each costs 16 bytes an event
    const batch = Array.from({ length: 20 }, (_, n) => event({ id: String(n) }))
    const accepted = scene.broker.accept(batch)
    await expect(accepted).rejects.toMatchObject({ code: 'SLUICE_CHANNEL_FULL', status: 429, retryAfterMs: 1000 })
    const { events } = scene.channel.usage()
    expect(events).toBeGreaterThan(0)
    await expect(accepted).rejects.toThrow(`${events} of the 20 events of this batch are stored. Of the others: `)
    expect(refused).toEqual(Array.from({ length: 20 - events }, () => '429 1'))
  })
})

describe('a broker', () => {
  test('is full as long as an event like the last one that found no room would find none', async () => {
    const { broker, network } = openScene({ bytesMax: 4000 })
    await broker.setTrigger(trigger('billing'))
    const send = (bytes: number): Promise<void> => broker.accept([event({ id: String(bytes) }, Buffer.alloc(bytes))])
    await send(1500)
    expect(broker.isFull).toBe(false)
    await expect(send(2500)).rejects.toMatchObject({ status: 429 })
    expect(broker.isFull).toBe(true)
    await send(500) // a smaller one still fits
    expect(broker.isFull).toBe(true)
    expect(broker.room(1600)).toBeGreaterThan(0)
    expect(broker.isFull).toBe(true)
    while (network.underWay.length > 0) network.underWay[0]!.answer(outcome(202))
    await send(100)
    expect(broker.isFull).toBe(false)
  })
})

describe('changes of one trigger', () => {
  test('are made in turn, also when nobody waits for them', async () => {
    const { broker, network } = openScene()
    const changes = [
      broker.setTrigger(trigger('billing')),
      broker.setTrigger(trigger('billing', { filter: filterFor('refund') })),
      broker.removeTrigger('uid-billing'),
      broker.setTrigger(trigger('billing', { filter: filterFor('order') })),
    ]
    await Promise.all(changes)
    await broker.accept([event({ id: '1', type: 'order' }), event({ id: '2', type: 'refund' })])
    expect(network.underWay.map(({ request }) => request.event.id)).toEqual(['1'])
  })

  test('one that the channel refuses changes nothing, and can be asked for again', async () => {
    const scene = openScene()
    const subscription = await spied(scene.channel, () => scene.broker.setTrigger(trigger('billing')))
    const update = subscription.update.bind(subscription)
    subscription.update = () => Promise.reject(channelUnavailable('The server is gone.', 1000))
    const changed = trigger('billing', { filter: filterFor('refund'), route: routeTo('accounts') })
    await expect(scene.broker.setTrigger(changed)).rejects.toMatchObject({ code: 'SLUICE_CHANNEL_UNAVAILABLE' })
    await scene.broker.accept([event({ id: '1', type: 'order' })])
    expect(scene.network.underWay[0]?.request.target.url).toBe('http://billing/')

    subscription.update = update
    await scene.broker.setTrigger(changed)
    await scene.broker.accept([event({ id: '2', type: 'order' }), event({ id: '3', type: 'refund' })])
    expect(scene.network.underWay.map(({ request }) => request.event.id)).toEqual(['1', '3'])
  })

  test('a trigger that is paused from the start is handed nothing, not even while it is being opened', async () => {
    const scene = openScene()
    const subscribe = scene.channel.subscribe.bind(scene.channel)
    scene.channel.subscribe = async (spec, deliver) => {
      const subscription = await subscribe(spec, deliver)
      await scene.channel.publish([event({ id: 'early' })], { lane: 'ingress' })
      return subscription
    }
    await scene.broker.setTrigger(trigger('billing', { paused: true }))
    expect(scene.broker.status('uid-billing')?.lag).toMatchObject({ events: 1, inFlight: 0 })
    await scene.broker.setTrigger(trigger('billing'))
    expect(scene.network.underWay[0]?.request.event.id).toBe('early')
  })
})

describe('a removal', () => {
  test('stops deliveries at once, also while the channel is slow to forget (fault 44)', async () => {
    let discarded = 0
    const scene = openScene({ observer: { discarded: (_trigger, events) => (discarded += events) } })
    const { broker, network, channel } = scene
    await broker.setTrigger(trigger('billing', { route: { ...routeTo('billing'), concurrency: 1 } }))
    await broker.accept(['1', '2', '3'].map((id) => event({ id })))
    const remove = channel.remove.bind(channel)
    const forget = Promise.withResolvers<void>()
    channel.remove = async (id) => {
      await forget.promise
      return remove(id)
    }
    const removed = broker.removeTrigger('uid-billing')
    network.underWay[0]?.answer(outcome(500))
    await scene.quiet()
    expect(network.sent).toBe(1)
    expect(broker.status('uid-billing')).toBeDefined()
    forget.resolve()
    await removed
    expect(broker.status('uid-billing')).toBeUndefined()
    expect({ discarded, ...channel.usage() }).toMatchObject({ discarded: 3, bytes: 0 })
  })

  test.each(['before it is opened', 'while it is being opened'])(
    'of a trigger %s leaves nothing of it to deliver (fault 44)',
    async (when) => {
      let discarded = 0
      const { broker, channel, network } = openScene({ observer: { discarded: (_, events) => (discarded += events) } })
      const subscribe = channel.subscribe.bind(channel)
      let removed: Promise<void> | undefined
      channel.subscribe = async (spec, deliver) => {
        const subscription = await subscribe(spec, deliver)
        removed ??= broker.removeTrigger('uid-billing')
        await channel.publish([event({ id: '1' })], { lane: 'ingress' })
        return subscription
      }
      const set = broker.setTrigger(trigger('billing'))
      if (when === 'before it is opened') removed = broker.removeTrigger('uid-billing')
      await set
      await removed
      expect({ sent: network.sent, discarded }).toEqual({ sent: 0, discarded: 1 })
      expect(channel.usage()).toMatchObject({ events: 0, bytes: 0 })
    },
  )

  test('that the channel refuses can be asked for again; nothing is delivered meanwhile', async () => {
    const { broker, channel, network } = openScene()
    await broker.setTrigger(trigger('billing'))
    const remove = channel.remove.bind(channel)
    channel.remove = () => Promise.reject(channelUnavailable('The server is gone.', 1000))
    await expect(broker.removeTrigger('uid-billing')).rejects.toThrow(SluiceError)
    await broker.accept([event({ id: '1' })])
    expect(network.sent).toBe(0)
    channel.remove = remove
    await broker.removeTrigger('uid-billing')
    expect(channel.usage()).toMatchObject({ events: 0, bytes: 0 })
  })

  test('that the channel refused is made up for when the trigger is set again, which then begins anew', async () => {
    const scene = openScene()
    const { broker, channel, network } = scene
    await broker.setTrigger(trigger('billing'))
    const remove = channel.remove.bind(channel)
    channel.remove = () => Promise.reject(channelUnavailable('The server is gone.', 1000))
    await expect(broker.removeTrigger('uid-billing')).rejects.toThrow(SluiceError)
    await broker.accept([event({ id: 'of the removed one' })])
    await expect(broker.setTrigger(trigger('billing'))).rejects.toMatchObject({ code: 'SLUICE_CHANNEL_UNAVAILABLE' })
    channel.remove = remove
    await broker.setTrigger(trigger('billing'))
    await broker.accept([event({ id: 'new' })])
    expect(network.underWay.map(({ request }) => request.event.id)).toEqual(['new'])
    network.underWay[0]?.answer(outcome(200))
    expect(channel.usage()).toMatchObject({ events: 0, bytes: 0 })
  })

  test('tells observers, also where the trigger had no backlog', async () => {
    const discarded: number[] = []
    const { broker } = openScene({ observer: { discarded: (_trigger, events) => discarded.push(events) } })
    await broker.setTrigger(trigger('billing'))
    await broker.removeTrigger('uid-billing')
    await broker.removeTrigger('uid-billing')
    expect(discarded).toEqual([0])
  })
})

describe('while draining', () => {
  test('neither events nor triggers are taken, and a second close joins the first', async () => {
    const scene = openScene()
    await scene.broker.setTrigger(trigger('billing'))
    await scene.broker.accept([event({ id: '1' })])
    const closing = scene.broker.close({ deadlineMs: 1000 })
    expect(scene.broker.close({ deadlineMs: 5 })).toBe(closing)
    expect(scene.broker.room(1)).toBe(1000)
    await expect(scene.broker.accept([event({})])).rejects.toMatchObject({ status: 503, retryAfterMs: 1000 })
    await expect(scene.broker.setTrigger(trigger('audit'))).rejects.toMatchObject({ code: 'SLUICE_DRAINING' })
    scene.network.underWay[0]?.answer(outcome(200))
    await scene.pass(100)
    await closing
    expect(scene.channel.usage().events).toBe(0)
  })

  test('a durable channel keeps what waits: what is under way finishes, nothing more is tried, nothing is lost', async () => {
    let lost = 0
    const scene = openScene({ observer: { lost: () => lost++ } })
    const { broker, channel, network } = scene
    Object.assign(channel, { capabilities: { ...channel.capabilities, durable: true } })
    const route = { ...routeTo('billing'), concurrency: 2, deadLetterSink: target('sink') }
    await broker.setTrigger(trigger('billing', { route }))
    await broker.accept(['1', '2', '3', '4'].map((id) => event({ id })))
    let closed = false
    const closing = broker.close({ deadlineMs: 10_000 }).then(() => (closed = true))
    network.underWay[0]?.answer(outcome(200))
    await scene.pass(1000)
    expect(closed).toBe(false)
    network.underWay[0]?.answer(outcome(400)) // it is not taken to the sink any more, but again to its subscriber
    await scene.pass(10)
    await closing
    expect({ lost, sent: network.sent, left: channel.usage().events }).toEqual({ lost: 0, sent: 2, left: 3 })
  })

  test('a paused trigger is not waited for, though dead letters of it are parked for its sink', async () => {
    const scene = openScene()
    const { broker, network } = scene
    const policy = { ...DEFAULT_POLICY, backoffDelayMs: 60_000 }
    const config = trigger('billing', { route: { ...routeTo('billing'), deadLetterSink: target('sink'), policy } })
    network.answering = ({ target: { origin } }) => outcome(origin === 'http://sink' ? 500 : 400)
    await broker.setTrigger(config)
    await broker.accept([event({})])
    await scene.quiet()
    await broker.setTrigger({ ...config, paused: true })
    let closed = false
    void broker.close({ deadlineMs: 30_000 }).then(() => (closed = true))
    await scene.pass(1000)
    expect({ closed, sent: network.sent }).toEqual({ closed: true, sent: 2 })
  })

  test('the box is closed after the channel, so that what comes of the last attempts has a place', async () => {
    const scene = openScene()
    const closed: string[] = []
    const { channel, box } = scene
    const close = channel.close.bind(channel)
    channel.close = (options) => close(options).then(() => void closed.push('channel'))
    box.close = async () => void closed.push('box')
    await scene.broker.close({ deadlineMs: 0 })
    expect(closed).toEqual(['channel', 'box'])
  })

  test('a box that hangs is left after 5 s', async () => {
    const scene = openScene()
    scene.box.close = () => new Promise(() => {})
    let closed = false
    void scene.broker.close({ deadlineMs: 1000 }).then(() => (closed = true))
    await scene.pass(4999, 100)
    expect(closed).toBe(false)
    await scene.pass(2)
    expect(closed).toBe(true)
  })

  test('a channel that hangs is left 5 s after the deadline', async () => {
    const scene = openScene()
    scene.channel.close = () => new Promise(() => {})
    let closed = false
    void scene.broker.close({ deadlineMs: 1000 }).then(() => (closed = true))
    await scene.pass(5999, 100)
    expect(closed).toBe(false)
    await scene.pass(2)
    expect(closed).toBe(true)
  })
})

test('a box that can not be written is as good as full, and says why: nothing is dropped, and it goes on when it can', async () => {
  const scene = openScene()
  const { broker, box, network } = scene
  const append = box.append.bind(box)
  box.append = () => Promise.reject(new Error('EIO'))
  await broker.setTrigger(trigger('billing'))
  await broker.accept([event({ id: '1' }), event({ id: '2' })])
  network.underWay[0]?.answer(outcome(400))
  await scene.pass(5000, 100)
  expect(broker.status('uid-billing')).toMatchObject({ boxFull: true, boxFailure: 'EIO', lag: { events: 2 } })
  box.append = append
  await scene.pass(1000, 100)
  expect(broker.status('uid-billing')).toMatchObject({ boxFull: false, boxFailure: undefined, lag: { events: 1 } })
  expect(box.usage().events).toBe(1)
})

test('what retention took of a trigger is reported as lost', async () => {
  const losses: string[] = []
  const scene = openScene({ observer: { lost: ({ name }, { events }) => losses.push(`${name} ${events}`) } })
  const subscribe = scene.channel.subscribe.bind(scene.channel)
  let lose: ((loss: Loss) => void) | undefined
  scene.channel.subscribe = async (spec, deliver) => {
    const subscription = await subscribe(spec, deliver)
    subscription.onLoss = (listener) => {
      lose = listener
      return () => {}
    }
    return subscription
  }
  await scene.broker.setTrigger(trigger('billing'))
  lose?.({ events: 7, cause: 'retention' })
  expect(losses).toEqual(['billing 7'])
})

function routeTo(name: string): ReturnType<typeof trigger>['route'] {
  return trigger(name).route
}

/** The subscription that `work` opens. */
async function spied(channel: Channel, work: () => Promise<void>): Promise<Subscription> {
  const subscribe = channel.subscribe.bind(channel)
  let opened: Subscription | undefined
  channel.subscribe = async (spec, deliver) => (opened = await subscribe(spec, deliver))
  await work()
  channel.subscribe = subscribe
  return opened!
}
