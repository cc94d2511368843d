// The source contract, by a preset whose deliveries have names.

import { createHmac } from 'node:crypto'
import { SourceRequest } from '@sluice/source'
import { sourceConformance } from '@sluice/source/conformance'
import { webhookSource } from '@sluice/source-webhook'

const SECRET = 'canary-5150'

sourceConformance({
  name: 'webhook',
  driver: webhookSource(),
  spec: {
    preset: 'github',
    secretRefs: [{ name: 'github', key: 'secret' }],
    replayWindowMs: 86_400_000,
    bytesMax: 1024,
  },
  secrets: { 'github/secret': SECRET },
  happen({ url, n }) {
    const body = `{"n":${n},"repository":{"url":"https://api.github.com/repos/o/r"}}`
    const signature = `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`
    const headers = ['x-github-event', 'push', 'x-github-delivery', String(n), 'x-hub-signature-256', signature]
    return new SourceRequest('POST', url, headers, Buffer.from(body))
  },
})
