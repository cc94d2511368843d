import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadFiles } from '../src/index.ts'

async function findings(kind: string, annotation: string, spec: string): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-not-yet-'))
  const metadata = `metadata:\n  name: x\n  annotations: {${annotation}}`
  writeFileSync(join(folder, 'x.yaml'), `apiVersion: eventing.knative.dev/v1\nkind: ${kind}\n${metadata}\n${spec}`)
  try {
    const { problems } = await loadFiles([folder])
    return problems.filter(({ code }) => code.endsWith('NOT_ACTED_ON')).map(({ severity }) => severity)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
const TRIGGER = 'spec: {subscriber: {uri: "http://127.0.0.1:9000/"}}\n'

test('limits that would not hold are refused', async () => {
  expect(await findings('Broker', "natsjetstream.eventing.knative.dev/config: '{}'", '')).toEqual(['error'])
})

test('an annotation that changes nothing yet is told of', async () => {
  expect(await findings('Broker', 'sluice.dev/deletion-policy: keep', '')).toEqual(['warning'])
})

test('what is the default anyway, or acted on, is not', async () => {
  expect(await findings('Broker', 'sluice.dev/when-full: deadLetter', '')).toEqual([])
  expect(await findings('Broker', 'sluice.dev/ingress-token-secret: tokens', '')).toEqual([])
  expect(await findings('Trigger', 'sluice.dev/order: key', TRIGGER)).toEqual([])
  expect(await findings('Trigger', 'sluice.dev/rate: 10/s', TRIGGER)).toEqual([])
})
