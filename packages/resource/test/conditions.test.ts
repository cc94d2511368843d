// Conditions, and the Ready that sums them up (KNATIVE.md 2, ES).

import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { brokerKind, conditions, kinds, readyCondition, triggerKind, type Mark } from '../src/index.ts'

const TYPES = { living: ['A', 'B'], shown: ['S'] }
const OK: Mark = { status: 'True' }
const BAD: Mark = { status: 'False', reason: 'Broken', message: 'It broke.' }
const UNSURE: Mark = { status: 'Unknown', reason: 'Waiting', message: 'Not yet.' }

function ready(marks: Record<string, Mark>): unknown {
  return readyCondition(conditions(TYPES, marks))
}

test('spec 99, spec 100, spec 101, spec 104: a list with the living set and Ready on top of it, sorted by type', () => {
  expect(conditions(TYPES, { A: OK, B: OK })).toEqual([
    { type: 'A', status: 'True' },
    { type: 'B', status: 'True' },
    { type: 'Ready', status: 'True' },
  ])
})

test('spec 106, spec 109, spec 112: one False makes Ready False, with its reason and message', () => {
  expect(ready({ A: UNSURE, B: BAD })).toEqual({
    type: 'Ready',
    status: 'False',
    reason: 'Broken',
    message: 'It broke.',
  })
})

test('spec 110: else one Unknown makes Ready Unknown', () => {
  expect(ready({ A: OK, B: UNSURE })).toEqual({
    type: 'Ready',
    status: 'Unknown',
    reason: 'Waiting',
    message: 'Not yet.',
  })
})

test('spec 107, spec 108: what nobody looked at yet is Unknown, and Ready is True only when all is', () => {
  expect(conditions(TYPES, { A: OK }).map(({ type, status }) => [type, status])).toEqual([
    ['A', 'True'],
    ['B', 'Unknown'],
    ['Ready', 'Unknown'],
  ])
})

test('spec 114: a condition with severity Info is shown and does not touch Ready', () => {
  const all = conditions(TYPES, { A: OK, B: OK, S: { ...BAD, severity: 'Info' } })
  expect(all.find(({ type }) => type === 'S')).toMatchObject({ status: 'False', severity: 'Info' })
  expect(readyCondition(all)?.status).toBe('True')
})

test('a mark of no type of the kind, or of the wrong severity, is our bug and throws', () => {
  expect(() => conditions(TYPES, { C: OK })).toThrow('Condition C')
  expect(() => conditions(TYPES, { A: { ...OK, severity: 'Info' } })).toThrow('Condition A')
  expect(() => conditions(TYPES, { S: OK })).toThrow('Condition S')
})

test('spec 102, spec 105, spec 111: types are unique, and what is not True says why, whatever the marks', () => {
  const mark = fc.constantFrom<Mark | undefined>(OK, BAD, UNSURE, undefined)
  fc.assert(
    fc.property(mark, mark, (a, b) => {
      const all = conditions(TYPES, { ...(a !== undefined && { A: a }), ...(b !== undefined && { B: b }) })
      expect(new Set(all.map(({ type }) => type)).size).toBe(all.length)
      for (const { status, reason, message } of all) {
        expect(['True', 'False', 'Unknown']).toContain(status)
        expect(status === 'True' || (reason !== undefined && message !== undefined)).toBe(true)
      }
    }),
  )
})

test("spec 113: the condition types are Knative's, and each is good news when True", () => {
  expect(brokerKind.conditions?.living).toEqual([
    'IngressReady',
    'TriggerChannelReady',
    'FilterReady',
    'Addressable',
    'DeadLetterSinkResolved',
    'EventPoliciesReady',
  ])
  expect(triggerKind.conditions?.living).toEqual([
    'BrokerReady',
    'SubscriptionReady',
    'DependencyReady',
    'SubscriberResolved',
    'DeadLetterSinkResolved',
    'OIDCIdentityCreated',
  ])
  for (const { conditions: types } of kinds) {
    for (const type of types?.living ?? []) expect(type).not.toMatch(/^(Not|Un|No[A-Z])|Fail|Error|Missing/)
  }
})
