// Knative's own samples load as they stand (KNATIVE.md 6). They are not part of this repository: they are read in
// place, beside it, and where they are absent the test says so and is skipped.

import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { formatProblems, loadFiles } from '../src/index.ts'

const SAMPLES = join(import.meta.dirname, '../../../../shared/data/knative')
const samples = existsSync(SAMPLES) ? readdirSync(SAMPLES).toSorted() : []

test('Knative’s samples are read where they are beside this repository', (context) => {
  if (samples.length === 0) context.skip('There is no ../shared/data/knative, so nothing was tried.')
  expect(samples.length).toBeGreaterThan(0)
})

test.runIf(samples.length > 0).each(samples)('the sample %s loads without an error', async (sample) => {
  const { resources, problems, files } = await loadFiles([join(SAMPLES, sample)])
  expect(formatProblems(problems.filter(({ severity }) => severity === 'error'))).toBe('')
  expect(resources.length).toBeGreaterThanOrEqual(files.length)
})
