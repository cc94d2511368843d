// Who may use the API, where it asks: whoever sends a token of a file. The file may change while it runs.

import { statSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'
import type { Clock } from '@sluice/clock'
import { SluiceError } from '@sluice/event'
import { bearerToken, isOneOf } from '@sluice/source'
import { answerError } from './answer.ts'
import { readTokens } from './token-file.ts'

/** Tokens that may change while they are in use. */
export interface ApiTokens {
  /** Whether a header Authorization has one of them. */
  accepts(authorization: string | undefined): boolean
}

/** Of {@link tokensIn}. */
export interface TokensInOptions {
  readonly clock: Clock
  /** The file has other tokens, which hold from now on; or it is broken, and those that it had hold on: why. */
  readonly changed: (broken: string | undefined) => void
}

/** So often a file is looked at, at most. */
const LOOK_MS = 1000

/**
 * The tokens of a file (token-file.ts), of whichever version stands there.
 *
 * @throws SluiceError `SLUICE_TOKEN_FILE` where it is broken now
 */
export function tokensIn(path: string, { clock, changed }: TokensInOptions): ApiTokens {
  let tokens = readTokens(path).map((token) => Buffer.from(token))
  let stamp = stampOf(path)
  let lookedMs = clock.monotonic()

  const look = (): void => {
    lookedMs = clock.monotonic()
    const now = stampOf(path)
    if (now === stamp) return
    stamp = now
    try {
      tokens = readTokens(path).map((token) => Buffer.from(token))
      changed(undefined)
    } catch (error) {
      changed((error as Error).message)
    }
  }
  return {
    accepts(authorization) {
      if (clock.monotonic() - lookedMs >= LOOK_MS) look()
      const token = bearerToken(authorization)
      return token !== undefined && isOneOf(token, tokens)
    },
  }
}

function stampOf(path: string): string {
  const stats = statSync(path, { throwIfNoEntry: false })
  return stats === undefined ? '' : `${stats.ino} ${stats.mtimeMs} ${stats.size}`
}

/** What answers without a token: that the process runs, and that it takes events, is for load balancers. */
const OPEN = new Set(['/healthz', '/livez', '/readyz'])

/** Refuses, with 401, requests to these routes without a token. `refused`: one was. */
export function requireTokens(routes: FastifyInstance, tokens: ApiTokens, refused: () => void): void {
  routes.addHook('onRequest', async (request, reply) => {
    const { authorization } = request.headers
    if (OPEN.has(request.routeOptions.url ?? '') || tokens.accepts(authorization)) return
    refused()
    reply.hijack()
    answerError(reply.raw, authorization === undefined ? missing() : wrong())
  })
}

function missing(): SluiceError {
  const what = 'The API asks for a token: send one of those of --token-file as Authorization: Bearer TOKEN.'
  return new SluiceError('SLUICE_TOKEN_MISSING', what, { status: 401 })
}

function wrong(): SluiceError {
  const what = 'Header Authorization has none of the tokens of --token-file.'
  return new SluiceError('SLUICE_TOKEN_INVALID', what, { status: 401 })
}
