// Which Google Cloud project, and who asks: by the Secret that Knative's users have (KNATIVE.md 1.8), or by the environment.

import { expect, test } from 'vitest'
import { pubsubAccess } from '../src/pubsub-access.ts'
import type { Secrets } from '../src/secrets.ts'

const KEY = { project_id: 'shop-1', client_email: 'a@shop-1.example', private_key: 'very-secret' }

function access(environment: Record<string, string>, key?: string) {
  const secrets = {
    describe: () => (key === undefined ? undefined : {}),
    get: () => Buffer.from(key!),
  }
  return pubsubAccess('shop', secrets as unknown as Secrets, environment)
}

const { client_email, private_key } = KEY
const credentials = { client_email, private_key }

test.each([
  ['an emulator asks nobody', { PUBSUB_EMULATOR_HOST: 'h:1' }, KEY, { emulator: 'h:1', project: 'sluice' }],
  [
    'an emulator has projects',
    { PUBSUB_EMULATOR_HOST: 'h:1', GOOGLE_CLOUD_PROJECT: 'p' },
    undefined,
    { emulator: 'h:1', project: 'p' },
  ],
  ['a key names its project', {}, KEY, { project: 'shop-1', credentials }],
  ['another project may be meant', { GOOGLE_CLOUD_PROJECT: 'p' }, KEY, { project: 'p', credentials }],
  ['without a key, the default credentials', { GOOGLE_CLOUD_PROJECT: 'p' }, undefined, { project: 'p' }],
])('%s', (_, environment, key, expected) => {
  expect(access(environment as Record<string, string>, key && JSON.stringify(key))).toEqual(expected)
})

test.each([
  [undefined, /Add Secret shop\/google-cloud-key with key\.json.*GOOGLE_CLOUD_PROJECT.*PUBSUB_EMULATOR_HOST/],
  ['very-secret', /key\.json of Secret shop\/google-cloud-key is no key of a service account/],
  ['{"client_email":"very-secret"}', /is no key of a service account/],
  [JSON.stringify(credentials), /names no project_id\. Add it, or set GOOGLE_CLOUD_PROJECT/],
])('what is missing is told, and never what the Secret holds: %s', (key, words) => {
  expect(() => access({}, key)).toThrow(
    expect.objectContaining({ code: 'SLUICE_CHANNEL_REFUSED', message: expect.stringMatching(words) }),
  )
  expect(() => access({}, key)).not.toThrow(/very-secret/)
})
