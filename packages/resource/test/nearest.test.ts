// The word that somebody probably meant: found for slips, parts and abbreviations, and never made up.

import { expect, test } from 'vitest'
import { didYouMean, nearest } from '../src/nearest.ts'
import { findKind } from '../src/index.ts'
import { load, triggerOf } from './files.ts'

const SPEC = findKind('eventing.knative.dev', 'Trigger')!.fields!['spec']!.properties!
const DELIVERY = Object.keys(SPEC['delivery']!.properties!)

test.each([
  ['rety', 'retry'],
  ['RETRY', 'retry'],
  ['timeuot', 'timeout'],
  ['retries', 'retry'],
  ['deadLetterQueue', 'deadLetterSink'],
  ['retryAfter', 'retryAfterMax'],
  ['dead_letter_sink', 'deadLetterSink'],
])('the slip %s is %s', (word, meant) => {
  expect(nearest(word, DELIVERY)).toBe(meant)
  expect(didYouMean(word, DELIVERY)).toBe(`Did you mean ${meant}?`)
})

test.each([
  ['maxRetries', 'retry'],
  ['max_retries', 'retry'],
  ['retryCount', 'retry'],
  ['backoff', 'backoffPolicy or backoffDelay'],
  ['policy', 'backoffPolicy'],
  ['delay', 'backoffDelay'],
  ['deadLetter', 'deadLetterSink'],
  ['deadletter', 'deadLetterSink'],
  ['dead-letter', 'deadLetterSink'],
  ['backoffTime', 'backoffPolicy or backoffDelay'],
  ['sink', 'deadLetterSink'],
  ['dls', 'deadLetterSink'],
  ['timeoutSeconds', 'timeout'],
])('in a delivery %s is %s', (word, meant) => {
  expect(nearest(word, DELIVERY)).toBeUndefined()
  expect(didYouMean(word, DELIVERY)).toBe(`Did you mean ${meant}?`)
})

test.each([
  '',
  'x',
  'for',
  'max',
  'attempts',
  'information',
  'timestamp',
  'queue',
  'dl',
  'letters',
  'x'.repeat(10_000),
])('nothing is made up for %.20j', (word) => {
  expect(didYouMean(word, DELIVERY)).toBeUndefined()
})

test('what all begin with makes none of them alike', () => {
  const known = ['sluice.dev/order', 'sluice.dev/window', 'sluice.dev/rate']
  expect(didYouMean('sluice.dev/odrer', known, 'sluice.dev/')).toBe('Did you mean sluice.dev/order?')
  expect(didYouMean('sluice.dev/ordering', known, 'sluice.dev/')).toBe('Did you mean sluice.dev/order?')
  expect(didYouMean('sluice.dev/speed', known, 'sluice.dev/')).toBeUndefined()
})

test('where more than three are alike, none is named; one that is there twice counts once', () => {
  const groups = ['eventing', 'messaging', 'sources', 'serving'].map((name) => `${name}.knative.dev`)
  expect(didYouMean('knative.dev', groups)).toBeUndefined()
  expect(didYouMean('serving', ['serving.knative.dev', 'serving.knative.dev', ''])).toBe(
    'Did you mean serving.knative.dev?',
  )
})

test('a field that is known elsewhere was put into the wrong place rather than misspelled', async () => {
  const { problems } = await load(triggerOf('subscriber: {uri: "http://h/"}\nretry: 3\nretries: 3'))
  expect(problems.map(({ path, hint }) => [path, hint])).toEqual([
    ['spec.retry', 'retry is known as spec.delivery.retry: check the indentation.'],
    ['spec.retries', 'spec has broker, brokerRef, filter, filters, subscriber, delivery.'],
  ])
})
