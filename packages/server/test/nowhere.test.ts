import { expect, test } from 'vitest'
import { systemClock } from '@sluice/clock'
import { serverLimits } from '../src/limits.ts'
import { openListener } from '../src/listener.ts'

test('whatever is sent to a path that nobody has is answered 404 in our words, its body unread', async () => {
  const listener = openListener(systemClock, serverLimits())
  const url = await listener.listen({ host: '127.0.0.1', port: 0 })
  try {
    const json = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{bad' }
    for (const [path, init] of [
      ['/foo', json],
      ['/%ff', json],
      ['/%ff', {}],
    ] as const) {
      const response = await fetch(url + path, init)
      expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([
        404,
        'SLUICE_PATH_UNKNOWN',
      ])
    }
  } finally {
    await listener.close({ deadlineMs: 0 })
  }
})
