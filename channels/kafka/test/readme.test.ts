import { expect, test } from 'vitest'
import { kafkaMissing, sharedKafka } from '../../../test/servers/kafka.ts'
import { readmeOf } from '../../../test/support/readme.ts'

if (kafkaMissing === undefined) {
  test('the example of the README prints what the README says', async () => {
    const server = await sharedKafka()
    try {
      process.env['KAFKA'] = server.address
      const readme = readmeOf(import.meta.dirname)
      expect(readme.run(readme.block('ts'))).toBe(readme.block('text'))
    } finally {
      await server.stop()
    }
  }, 60_000)
} else test.skip(`the example of the README (${kafkaMissing})`)
