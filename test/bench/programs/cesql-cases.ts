// CloudEvents SQL expressions as people write them in filters, each with the JavaScript function that somebody would
// write by hand for the same condition, and the events that they are asked about.

import { Event } from '@sluice/event'

export interface Case {
  readonly text: string
  readonly byHand: (event: Event) => boolean
}

export const cases: readonly Case[] = [
  {
    text: "type = 'com.example.order.7'",
    byHand: (event) => event.attribute('type') === 'com.example.order.7',
  },
  {
    text: "type LIKE 'com.example.%' AND source = '/shop/7' AND EXISTS subject",
    byHand: (event) =>
      event.text('type')!.startsWith('com.example.') &&
      event.attribute('source') === '/shop/7' &&
      event.attribute('subject') !== undefined,
  },
  {
    text: "source IN ('/shop/1', '/shop/3', '/shop/5', '/shop/7') OR subject LIKE '%-rush'",
    byHand: (event) => {
      const source = event.text('source')!
      if (source === '/shop/1' || source === '/shop/3' || source === '/shop/5' || source === '/shop/7') return true
      return event.text('subject')?.endsWith('-rush') ?? false
    },
  },
  {
    text: 'INT(number) % 2 = 1 AND attempts < 5',
    byHand: (event) => Number(event.attribute('number')) % 2 === 1 && Number(event.attribute('attempts')) < 5,
  },
  {
    text: "UPPER(subject) = 'ORDER-7' AND LENGTH(source) < 20",
    byHand: (event) => event.text('subject')?.toUpperCase() === 'ORDER-7' && event.text('source')!.length < 20,
  },
  {
    text: "subject LIKE '%der%-_'",
    byHand: (event) => /der.*-.$/s.test(event.text('subject') ?? ''),
  },
]

/** Attributes of the events, as in JSON. */
export const attributes: readonly Readonly<Record<string, string | number>>[] = Array.from({ length: 64 }, (_, i) => ({
  ...{ specversion: '1.0', id: `${i}`, source: `/shop/${i % 9}`, type: `com.example.order.${i % 8}` },
  ...{ subject: `order-${i % 10}`, number: `${i}`, attempts: i % 6 },
}))

export const events: readonly Event[] = attributes.map((each) => new Event(new Map(Object.entries(each)), undefined))
