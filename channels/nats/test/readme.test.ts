import { expect, test } from 'vitest'
import { natsMissing, sharedNats } from '../../../test/servers/nats.ts'
import { readmeOf } from '../../../test/support/readme.ts'

if (natsMissing === undefined) {
  test('the example of the README prints what the README says', async () => {
    const server = await sharedNats()
    try {
      process.env['NATS_URL'] = server.url
      const readme = readmeOf(import.meta.dirname)
      expect(readme.run(readme.block('ts'))).toBe(readme.block('text'))
    } finally {
      await server.stop()
    }
  })
} else test.skip(`the example of the README (${natsMissing})`)
