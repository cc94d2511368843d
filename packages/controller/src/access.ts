// How the receivers of a trigger are spoken to: from annotations and Secrets to what deliveries are made with (threats 5, 7,
// 20, 21). What a Secret holds is read at each attempt, so that another value counts from the next one on; that it is there,
// with its keys, is part of the plan.
//
// From: trigger.ts, for each receiver. Next: delivery/src/authorizing.ts.

import {
  accessProblem,
  basicCredential,
  bearerCredential,
  headerCredential,
  invalidCredential,
  target,
  type Access,
  type Credential,
  type OAuthClient,
} from '@sluice/delivery'
import { SluiceError } from '@sluice/event'
import { SECRET_ORIGIN_KEY, SECRET_TYPES } from '@sluice/resource'
import { tokensOf } from './gate.ts'
import type { Secrets } from './secrets.ts'

/** What annotations and destinations say of how a receiver is spoken to. Plain data: equal ones are one access. */
export interface AccessSpec {
  readonly namespace: string
  /** Of the receiver. */
  readonly origin: string
  readonly caCerts: string | undefined
  readonly audience: string | undefined
  /** Names of Secrets. */
  readonly credentials: readonly string[]
  /** The Secret with the tokens of the Broker or channel of this process that it is, where that asks for one. */
  readonly ingressTokens: { readonly namespace: string; readonly name: string } | undefined
  /** Name of a Secret. */
  readonly signing: string | undefined
  readonly webhookOrigin: string | undefined
}

/** An access as it is planned. */
export interface PlannedAccess {
  readonly spec: AccessSpec
  readonly access: Access
}

/** More signatures than a rotation needs, and few enough for any receiver. */
const SIGNING_KEYS_MAX = 4

/** Whether a receiver is spoken to without anything of this. */
export function isPlain({ credentials, caCerts, ingressTokens, signing, webhookOrigin }: AccessSpec): boolean {
  return (
    credentials.length === 0 && [caCerts, ingressTokens, signing, webhookOrigin].every((each) => each === undefined)
  )
}

/** Why a Secret that it names is not there, or is not of a sort that can be shown, in words; `undefined`: all are. */
function missingSecret({ namespace, credentials, signing }: AccessSpec, secrets: Secrets): string | undefined {
  for (const name of credentials) {
    const secret = secrets.describe(namespace, name)
    if (secret === undefined) return `There is no Secret ${namespace}/${name}`
    const { keys } = SECRET_TYPES[secret.type] ?? {}
    if (keys === undefined) {
      const known = Object.keys(SECRET_TYPES).join(', ')
      return `Secret ${namespace}/${name} has type ${secret.type}; what a receiver is shown has one of ${known}`
    }
    const missing = keys.filter((key) => !secret.keys.includes(key))
    if (missing.length > 0) return `Secret ${namespace}/${name} has no key ${missing.join(', ')}`
  }
  if (signing === undefined) return undefined
  const keys = secrets.describe(namespace, signing)?.keys
  if (keys === undefined) return `There is no Secret ${namespace}/${signing}`
  const isWrong = keys.length === 0 || keys.length > SIGNING_KEYS_MAX
  return isWrong
    ? `Secret ${namespace}/${signing} has ${keys.length} keys; deliveries are signed with each of 1 to ${SIGNING_KEYS_MAX}`
    : undefined
}

/**
 * How a receiver is spoken to; or why it can't be, in words, where nothing but an apply can change that. A file that can't be
 * read now may be there at the next attempt.
 */
export function planAccess(spec: AccessSpec, secrets: Secrets): PlannedAccess | string {
  const missing = missingSecret(spec, secrets)
  if (missing !== undefined) return missing
  const access = accessOf(spec, secrets)
  const problem = accessProblem(access)
  const names = spec.signing === undefined ? spec.credentials : [...spec.credentials, spec.signing]
  const isForGood = names.every((name) => secrets.describe(spec.namespace, name)?.isFixed === true)
  return problem !== undefined && isForGood ? problem.replace(/\.$/, '') : { spec, access }
}

function accessOf(spec: AccessSpec, secrets: Secrets): Access {
  const { namespace, caCerts, signing, webhookOrigin } = spec
  const readers = spec.credentials.map((name) => credentialReader(name, spec, secrets))
  if (spec.ingressTokens !== undefined) readers.push(tokenReader(spec.ingressTokens, secrets))
  return {
    caCerts,
    webhookOrigin,
    ...(readers.length > 0 && { credentials: () => withoutClash(readers.map((read) => read())) }),
    ...(signing !== undefined && {
      signing: () => {
        const keys = secrets.describe(namespace, signing)?.keys ?? []
        if (keys.length === 0) throw unavailable(`There is no Secret ${namespace}/${signing}, or nothing in it.`)
        return keys.toSorted().map((key) => secrets.get(namespace, { name: signing, key }))
      },
    }),
  }
}

/** Why something that a receiver is shown can't be had or used now, in words that show nothing of it. */
export function problemOf(planned: PlannedAccess | undefined): string | undefined {
  return planned && accessProblem(planned.access)
}

/** Reads the Secret each time; makes another credential only where what it holds is another. */
function credentialReader(name: string, spec: AccessSpec, secrets: Secrets): () => Credential {
  const { namespace, origin, audience } = spec
  let last: { values: readonly (Buffer | undefined)[]; credential: Credential } | undefined
  return () => {
    const secret = secrets.describe(namespace, name)
    const type = secret && SECRET_TYPES[secret.type]
    if (type === undefined) throw unavailable(missingSecret({ ...spec, credentials: [name] }, secrets)!)
    const optional = (key: string): Buffer | undefined =>
      secret!.keys.includes(key) ? secrets.get(namespace, { name, key }) : undefined
    const keys = [...type.keys, ...type.optional, SECRET_ORIGIN_KEY]
    const values = keys.map((key) => (type.keys.includes(key) ? secrets.get(namespace, { name, key }) : optional(key)))
    if (last !== undefined && values.every((value, i) => value === last!.values[i])) return last.credential
    const of = (key: string): Buffer | undefined => values[keys.indexOf(key)]
    checkOrigin(of(SECRET_ORIGIN_KEY)?.toString(), origin, `Secret ${namespace}/${name}`)
    try {
      last = { values, credential: readCredential(secret!.type, of, audience) }
    } catch (error) {
      throw unavailable(`Secret ${namespace}/${name}: ${(error as Error).message}`)
    }
    return last.credential
  }
}

/** The first of the tokens that an ingress of this process takes. */
function tokenReader(
  { namespace, name }: NonNullable<AccessSpec['ingressTokens']>,
  secrets: Secrets,
): () => Credential {
  let last: { token: Buffer; credential: Credential } | undefined
  return () => {
    const { tokens, problems } = tokensOf(namespace, name, secrets)
    const [token] = tokens
    if (token === undefined) throw unavailable(problems[0] ?? `Secret ${namespace}/${name} has no values.`)
    if (last?.token !== token) last = { token, credential: bearerCredential(token.toString()) }
    return last.credential
  }
}

/** A Secret may say where it is for; wherever a trigger, or what it points to, is changed to lead, it goes nowhere else. */
function checkOrigin(only: string | undefined, origin: string, secret: string): void {
  if (only === undefined) return
  if (URL.canParse(only) && new URL(only).origin === origin) return
  throw unavailable(`${secret} is for another origin than ${origin}, so it is not shown there.`)
}

function readCredential(
  type: string,
  of: (key: string) => Buffer | undefined,
  audience: string | undefined,
): Credential {
  const text = (key: string): string => of(key)!.toString()
  switch (type) {
    case 'sluice.dev/bearer':
      return bearerCredential(text('token'))
    case 'kubernetes.io/basic-auth':
      return basicCredential(text('username'), text('password'))
    case 'sluice.dev/header':
      return headerCredential(text('name'), text('value'))
    case 'kubernetes.io/tls':
      return { kind: 'certificate', certificate: of('tls.crt')!, key: of('tls.key')! }
    default:
      return { kind: 'oauth2', client: readClient(of, audience) }
  }
}

function readClient(of: (key: string) => Buffer | undefined, audience: string | undefined): OAuthClient {
  const caCerts = of('ca.crt')?.toString()
  const authMethod = of('authMethod')?.toString() ?? 'client_secret_basic'
  if (authMethod !== 'client_secret_basic' && authMethod !== 'client_secret_post') {
    throw invalidCredential('its authMethod is neither client_secret_basic nor client_secret_post')
  }
  return {
    endpoint: { ...target(of('tokenUrl')!.toString()), ...(caCerts !== undefined && { access: { caCerts } }) },
    id: of('clientId')!.toString(),
    secret: of('clientSecret')!.toString(),
    scope: of('scope')?.toString(),
    audience: of('audience')?.toString() ?? audience,
    authMethod,
  }
}

/** Two for one header, or two certificates: nobody can say which. */
function withoutClash(credentials: Credential[]): Credential[] {
  const seen = new Set<string>()
  for (const credential of credentials) {
    const what =
      credential.kind === 'certificate'
        ? 'a client certificate'
        : `the header ${credential.kind === 'header' ? credential.name : 'authorization'}`
    if (seen.has(what)) throw unavailable(`Two of its Secrets give ${what}; name one of them.`)
    seen.add(what)
  }
  return credentials
}

function unavailable(message: string): SluiceError {
  return new SluiceError('SLUICE_SECRET_UNAVAILABLE', message, { status: 503, retryable: true, retryAfterMs: 30_000 })
}
