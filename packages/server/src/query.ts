// What a request to `/sluice/v1` asks for behind its `?`. Strict: a slip of the pen must not widen what is asked for.

import type { FastifyRequest } from 'fastify'
import { isTimestamp, SluiceError } from '@sluice/event'

/**
 * The parameters by these names, each at most once and not empty. Throws `SLUICE_QUERY_INVALID`, 400. `lists`: those that
 * {@link listOf} reads.
 */
export function queryOf<Name extends string>(
  request: FastifyRequest,
  names: readonly Name[],
  lists: readonly string[] = [],
): { readonly [name in Name]?: string } {
  const query: { [name in Name]?: string } = {}
  for (const [name, value] of Object.entries(request.query as Record<string, unknown>)) {
    if (lists.includes(name)) continue
    const known = names.find((each) => each === name)
    if (known === undefined)
      throw invalidQuery(name, `There is no parameter ${shown(name)}. ${thereAre([...names, ...lists])}`)
    if (typeof value !== 'string') throw invalidQuery(name, `Parameter ${name} is there more than once.`)
    if (value === '') throw invalidQuery(name, `Parameter ${name} is empty. Leave it out, or give it a value.`)
    query[known] = value
  }
  return query
}

/** A parameter that may be there several times. */
export function listOf(request: FastifyRequest, name: string): readonly string[] {
  return [(request.query as Record<string, string | string[] | undefined>)[name] ?? []].flat()
}

/** How many things are asked for at most. */
export function limitOf(text: string | undefined, byDefault: number, max: number): number {
  if (text === undefined) return byDefault
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 1 && limit <= max) return limit
  throw invalidQuery('limit', `limit is ${shown(text)}; it has to be a whole number from 1 to ${max}.`)
}

/** Wall-clock ms of an RFC 3339 time; `undefined`: it is none. */
export function timeOf(text: string): number | undefined {
  return isTimestamp(text) ? Date.parse(text) : undefined
}

/** A parameter that can't be used: 400. */
export function invalidQuery(name: string, message: string): SluiceError {
  return new SluiceError('SLUICE_QUERY_INVALID', message, { status: 400, subject: name })
}

function thereAre(names: readonly string[]): string {
  return names.length === 0 ? 'None is known here.' : `Known here: ${names.join(', ')}.`
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 80))
}
