import { expect, test } from 'vitest'
import { systemClock } from '@sluice/clock'
import { serverLimits } from '../src/limits.ts'
import { openListener } from '../src/listener.ts'

test('whatever is sent to a path that nobody has is answered 404 in our words, its body unread', async () => {
  const listener = openListener({ clock: systemClock, limits: serverLimits(), instead: 'Go elsewhere.' })
  const url = await listener.listen({ host: '127.0.0.1', port: 0 })
  try {
    const json = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{bad' }
    for (const [path, init] of [
      ['/foo', json],
      ['/%ff', json],
      ['/%ff', {}],
    ] as const) {
      const response = await fetch(url + path, init)
      const { code, message } = (await response.json()) as { code: string; message: string }
      expect([response.status, code]).toEqual([404, 'SLUICE_PATH_UNKNOWN'])
      expect(message).toContain('Go elsewhere.')
    }
  } finally {
    await listener.close({ deadlineMs: 0 })
  }
})
