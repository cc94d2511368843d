// Which resources a list or a watch is about: label selectors and field selectors, as Kubernetes reads them.

import { valueAt, type Kind, type Resource } from '@sluice/resource'
import { badRequest } from './errors.ts'

/** Whether a resource is meant. */
export type Selector = (resource: Resource) => boolean

/**
 * All that both selectors ask for.
 *
 * @throws Refusal 400 with the part that can't be read, or the field that can't be selected by
 */
export function selectorOf(kind: Kind, labels: string | null, fields: string | null): Selector | undefined {
  const parts = [...labelRequirements(labels ?? ''), ...fieldRequirements(kind, fields ?? '')]
  if (parts.length === 0) return undefined
  return (resource) => parts.every((part) => part(resource))
}

// --- Labels: `a=b,c!=d,e in (f,g),h notin (i),j,!k` ---

function labelRequirements(text: string): Selector[] {
  return splitOutsideParentheses(text).map((part) => labelRequirement(part.trim()))
}

function splitOutsideParentheses(text: string): string[] {
  return text.trim() === '' ? [] : text.split(/,(?![^(]*\))/)
}

const KEY = '[A-Za-z0-9](?:[-\\w.]*[A-Za-z0-9])?(?:/[A-Za-z0-9](?:[-\\w.]*[A-Za-z0-9])?)?'
const VALUE = '[-\\w.]*'
const EQUALITY = new RegExp(`^(${KEY})\\s*(==?|!=)\\s*(${VALUE})$`)
const MEMBERSHIP = new RegExp(`^(${KEY})\\s+(in|notin)\\s*\\(([^()]*)\\)$`)
const EXISTENCE = new RegExp(`^(!?)\\s*(${KEY})$`)

function labelRequirement(part: string): Selector {
  const equality = EQUALITY.exec(part)
  if (equality !== null) {
    const [, key, operator, value] = equality
    return operator === '!=' ? (each) => labelOf(each, key!) !== value : (each) => labelOf(each, key!) === value
  }
  const membership = MEMBERSHIP.exec(part)
  if (membership !== null) {
    const [, key, operator, list] = membership
    const values = new Set<string | undefined>(list!.split(',').map((value) => value.trim()))
    return (each) => values.has(labelOf(each, key!)) === (operator === 'in')
  }
  const existence = EXISTENCE.exec(part)
  if (existence === null) {
    const example = 'It has to be like a=b, a!=b, a in (b,c), a notin (b), a, or !a, with commas between.'
    throw badRequest(`unable to parse requirement: ${JSON.stringify(part.slice(0, 100))}. ${example}`)
  }
  const [, not, key] = existence
  return (each) => (labelOf(each, key!) !== undefined) === (not === '')
}

function labelOf({ metadata: { labels } }: Resource, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined
}

// --- Fields: `metadata.name=a,spec.broker!=b` ---

function fieldRequirements(kind: Kind, text: string): Selector[] {
  const parts = text.trim() === '' ? [] : text.split(',')
  return parts.map((part) => {
    const [, field, operator, value] = /^\s*([\w.]+)\s*(==?|!=)\s*(.*?)\s*$/.exec(part) ?? []
    if (field === undefined || value === undefined) {
      throw badRequest(
        `invalid field selector: ${JSON.stringify(part.slice(0, 100))}. It has to be like metadata.name=a.`,
      )
    }
    const known = ['metadata.name', 'metadata.namespace', ...(kind.selectable ?? [])]
    if (!known.includes(field)) {
      throw badRequest(`field label not supported: ${field}. ${kind.plural} are selected by ${known.join(', ')}.`)
    }
    const path = field.split('.')
    return (resource) => (textOf(valueAt(resource, path)) === value) === (operator !== '!=')
  })
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : value === undefined || value === null ? '' : JSON.stringify(value)
}
