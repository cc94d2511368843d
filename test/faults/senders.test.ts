// Senders that send twice, send the same under two names, or go away (faults 33, 34, 35): the same with every channel.

import { describe, expect, test } from 'vitest'
import { binary, broker, trigger } from '../support/events.ts'
import { dial, encode, exchange } from '../support/exchange.ts'
import { acceptedEvents, settled } from '../support/ops.ts'
import { startSluice, type Sluice } from '../support/sluice.ts'
import { header, subscriber, type Subscriber } from '../support/subscriber.ts'

describe.each(['log', 'memory'])('%s', (channel) => {
  async function start(): Promise<{ sluice: Sluice; taker: Subscriber }> {
    const taker = await subscriber()
    const sluice = await startSluice({ 'a.yaml': broker() + trigger('taker', taker.url) }, ['--channel', channel])
    return { sluice, taker }
  }

  test('an event that is sent again is accepted again, and delivered again: nothing is left out (fault 33)', async () => {
    const { sluice, taker } = await start()
    for (let n = 0; n < 3; n++) {
      expect((await exchange(sluice.broker, binary([['ce-id', 'again']], 'same'))).status).toBe(202)
    }
    await settled(sluice.api)
    expect(taker.all.map((each) => [header(each, 'ce-id'), each.body.toString()])).toEqual([
      ['again', 'same'],
      ['again', 'same'],
      ['again', 'same'],
    ])
  })

  test('one id of two sources, and one id with two bodies: none takes the place of another (fault 34)', async () => {
    const { sluice, taker } = await start()
    const sent = [
      ['/a', 'first'],
      ['/b', 'first'],
      ['/a', 'second'],
    ] as const
    for (const [source, body] of sent) {
      expect((await exchange(sluice.broker, binary([['ce-source', source]], body))).status).toBe(202)
    }
    await settled(sluice.api)
    const taken = taker.all.map((each) => `${header(each, 'ce-source')} ${each.body.toString()}`)
    expect(new Set(taken)).toEqual(new Set(sent.map((each) => each.join(' '))))
    expect(taken).toHaveLength(sent.length)
  })

  test('who goes away in the middle of a body has stored nothing; who does so after it has stored the event, whatever it got to know of that (fault 35)', async () => {
    const { sluice, taker } = await start()
    const message = encode(sluice.broker, binary([['ce-id', 'half']], Buffer.alloc(100_000, 'x')))
    for (let n = 0; n < 5; n++) {
      const connection = await dial(sluice.broker)
      connection.write(message.subarray(0, 90_000))
      connection.socket.end()
      await connection.closed
    }
    const connection = await dial(sluice.broker)
    connection.socket.end(encode(sluice.broker, binary([['ce-id', 'whole']])), () => connection.socket.destroy())
    const [taken] = await taker.received(1)
    expect(header(taken!, 'ce-id')).toBe('whole')
    expect((await exchange(sluice.broker, binary([['ce-id', 'whole']]))).status).toBe(202) // as a producer does
    await settled(sluice.api)
    expect(taker.all.map((each) => header(each, 'ce-id'))).toEqual(['whole', 'whole'])
    expect(await acceptedEvents(sluice.api)).toBe(2)
  })
})
