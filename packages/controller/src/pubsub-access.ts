// Which Google Cloud project a Broker's topic is in, and who asks: by the Secret that Knative's users have for it, else as
// every program of Google Cloud is told, by its environment (KNATIVE.md 1.8).
//
// From: drivers.ts. Next: channels/pubsub connects with it.

import { SluiceError } from '@sluice/event'
import type { Secrets } from './secrets.ts'

/** As the driver takes it. */
export interface PubsubAccess {
  readonly project: string
  readonly emulator?: string
  readonly credentials?: { client_email: string; private_key: string }
}

/** Knative's own names. */
const SECRET = 'google-cloud-key'
const KEY = 'key.json'
/** Of an emulator, which asks nobody and keeps projects apart by their names alone. */
const EMULATED_PROJECT = 'sluice'

/**
 * Throws a SluiceError that says what is missing, and never what a Secret holds.
 *
 * @param namespace that of the Broker or channel: its Secret `google-cloud-key` is asked first
 */
export function pubsubAccess(
  namespace: string,
  secrets: Secrets,
  environment: Readonly<NodeJS.ProcessEnv> = process.env,
): PubsubAccess {
  const emulator = environment['PUBSUB_EMULATOR_HOST']
  const named = environment['GOOGLE_CLOUD_PROJECT']
  if (emulator) return { emulator, project: named || EMULATED_PROJECT }
  if (secrets.describe(namespace, SECRET) !== undefined) return keyOf(namespace, secrets, named)
  if (named) return { project: named }
  throw refused(
    `Nothing says which Google Cloud project it is in.`,
    `Add Secret ${namespace}/${SECRET} with ${KEY}, the key of a service account; or set GOOGLE_CLOUD_PROJECT, and ` +
      'GOOGLE_APPLICATION_CREDENTIALS where this machine is none of Google Cloud; or PUBSUB_EMULATOR_HOST for an emulator.',
  )
}

function keyOf(namespace: string, secrets: Secrets, project: string | undefined): PubsubAccess {
  const title = `${KEY} of Secret ${namespace}/${SECRET}`
  const text = secrets.get(namespace, { name: SECRET, key: KEY }).toString()
  const key = parsed(text)
  const { client_email, private_key, project_id } = key ?? {}
  if (typeof client_email !== 'string' || typeof private_key !== 'string') {
    throw refused(`${title} is no key of a service account.`, 'It has to be the JSON that Google gives for one.')
  }
  const found = project || project_id
  if (typeof found !== 'string' || found === '') {
    throw refused(`${title} names no project_id.`, 'Add it, or set GOOGLE_CLOUD_PROJECT.')
  }
  return { project: found, credentials: { client_email, private_key } }
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch {
    return undefined
  }
}

function refused(what: string, todo: string): SluiceError {
  return new SluiceError('SLUICE_CHANNEL_REFUSED', `${what} ${todo}`, {
    status: 503,
    retryable: true,
    retryAfterMs: 30_000,
  })
}
