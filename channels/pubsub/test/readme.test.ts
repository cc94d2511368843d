import { expect, test } from 'vitest'
import { pubsubMissing, sharedPubsub } from '../../../test/servers/pubsub.ts'
import { readmeOf } from '../../../test/support/readme.ts'

if (pubsubMissing === undefined) {
  test('the example of the README prints what the README says', async () => {
    const server = await sharedPubsub()
    try {
      process.env['PUBSUB_EMULATOR_HOST'] = server.address
      const readme = readmeOf(import.meta.dirname)
      expect(readme.run(readme.block('ts'))).toBe(readme.block('text'))
    } finally {
      await server.stop()
    }
  }, 60_000)
} else test.skip(`the example of the README (${pubsubMissing})`)
