// AWS SNS: a signature in the body, made by a certificate that the body names. The certificate is fetched from AWS only,
// and the topics are pinned, for AWS signs for everybody's (WEBHOOKS 1).

import { createVerify, X509Certificate, type KeyObject } from 'node:crypto'
import { get } from 'node:https'
import { SluiceError } from '@sluice/event'
import { unverified } from './errors.ts'
import type { Check, Scope } from './scope.ts'
import type { SnsVerify } from './spec.ts'

/** Reads a text by HTTPS; rejects for what is no 200. */
export type FetchText = (url: string) => Promise<string>

/** The certificates of a region change about once a year. */
const CERTIFICATES_MAX = 16

/** Lines of the text that is signed, for each type of message. */
const NOTIFICATION = ['Message', 'MessageId', 'Subject', 'Timestamp', 'TopicArn', 'Type']
const SUBSCRIPTION = ['Message', 'MessageId', 'SubscribeURL', 'Timestamp', 'Token', 'TopicArn', 'Type']

export function snsCheck({ topicArns }: SnsVerify, fetchText: FetchText): Check {
  const keys = new Map<string, Promise<KeyObject>>()

  return async (scope) => {
    const field = (name: string): string | undefined => textField(scope, name)
    const signature = Buffer.from(field('Signature') ?? '', 'base64')
    const version = field('SignatureVersion')
    const type = field('Type')
    if (signature.length === 0 || (version !== '1' && version !== '2')) {
      throw unverified('SIGNATURE_MISSING', 'The message has no Signature of SignatureVersion 1 or 2.')
    }
    if (!topicArns.includes(field('TopicArn') ?? '')) {
      throw unverified('TOPIC_UNKNOWN', 'The message is of a topic that verify.topicArns does not name.')
    }
    const url = field('SigningCertURL') ?? ''
    if (!isSnsUrl(url) || !new URL(url).pathname.endsWith('.pem')) {
      throw unverified('SIGNATURE_MALFORMED', 'SigningCertURL is not of https://sns.REGION.amazonaws.com.')
    }
    const signed = (type === 'Notification' ? NOTIFICATION : SUBSCRIPTION)
      .flatMap((name) => {
        const value = field(name)
        return value === undefined ? [] : [`${name}\n${value}\n`]
      })
      .join('')
    const verifier = createVerify(version === '1' ? 'RSA-SHA1' : 'RSA-SHA256').update(signed, 'utf8')
    if (!verifier.verify(await keyAt(url), signature))
      throw unverified('SIGNATURE_MISMATCH', 'The Signature is another.')
  }

  function keyAt(url: string): Promise<KeyObject> {
    let key = keys.get(url)
    if (key === undefined) {
      if (keys.size >= CERTIFICATES_MAX) keys.delete(keys.keys().next().value!)
      key = fetchText(url).then(
        (pem) => new X509Certificate(pem).publicKey,
        (cause: unknown) => {
          throw notReached("SNS's certificate can't be read now.", cause)
        },
      )
      keys.set(url, key)
      key.catch(() => keys.delete(url))
    }
    return key
  }
}

/** Tells AWS that the subscription is wanted. The message was verified before. */
export async function confirmSubscription(scope: Scope, fetchText: FetchText): Promise<void> {
  const url = textField(scope, 'SubscribeURL') ?? ''
  if (!isSnsUrl(url))
    throw unverified('SIGNATURE_MALFORMED', 'SubscribeURL is not of https://sns.REGION.amazonaws.com.')
  try {
    await fetchText(url)
  } catch (cause) {
    throw notReached("SNS can't be asked to confirm the subscription now.", cause)
  }
}

/** AWS's own, in one of its regions, China's included. */
function isSnsUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, hostname, username, password, port } = new URL(text)
  const isBare = username === '' && password === '' && port === ''
  return protocol === 'https:' && isBare && /^sns\.[a-z0-9-]{3,32}\.amazonaws\.com(\.cn)?$/.test(hostname)
}

function textField(scope: Scope, name: string): string | undefined {
  const value = scope.lookup(['body', name])
  return typeof value === 'string' ? value : undefined
}

function notReached(problem: string, cause: unknown): SluiceError {
  return new SluiceError('SLUICE_WEBHOOK_PROVIDER_UNREACHABLE', `${problem} Nothing was stored.`, {
    status: 503,
    retryable: true,
    retryAfterMs: 10_000,
    cause,
  })
}

const TEXT_BYTES_MAX = 64 * 1024
const FETCH_MS_MAX = 5000

/** By HTTPS, within 5 s, at most 64 KiB, no redirects. */
export const fetchByHttps: FetchText = (url) =>
  new Promise((resolve, reject) => {
    const request = get(url, { signal: AbortSignal.timeout(FETCH_MS_MAX) }, (response) => {
      if (response.statusCode !== 200) {
        response.resume()
        return reject(new Error(`answered ${response.statusCode}`))
      }
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
        if (text.length > TEXT_BYTES_MAX) request.destroy(new Error(`more than ${TEXT_BYTES_MAX} bytes`))
      })
      response.on('end', () => resolve(text)).on('error', reject)
    })
    request.on('error', reject)
  })
