// Why there was no answer, for people: what the machine said, what it means, and what to check.

import { ANSWER_LONG, TARGET_REFUSED } from './connection.ts'

/** What an error of an attempt comes to. */
export interface Explanation {
  readonly verdict: 'retry' | 'dead'
  /** 0, or 101: the one final 1xx, which undici takes for an error. */
  readonly status: 0 | 101
  readonly words: string
  /** No connection to the target, or it went away: the target is down or overloaded. */
  readonly pressure: boolean
}

/**
 * @param error what undici, node:net, node:tls or node:dns said
 * @param origin of the target, which stands for its URL, whose path may hold a secret
 */
export function explain(error: Error, origin: string): Explanation {
  const code = codeOf(error)
  const said = messageOf(error)
  if (code === TARGET_REFUSED) return { verdict: 'dead', status: 0, words: said, pressure: false }
  if (UNWRITABLE_ERRORS.has(code)) {
    return { verdict: 'dead', status: 0, words: `${UNWRITABLE}: ${said}`, pressure: false }
  }
  if (said === BAD_UPGRADE) {
    const words = `${origin} answered 101 Switching Protocols, which nobody asked for`
    return { verdict: 'dead', status: 101, words, pressure: false }
  }
  const advice =
    (isClusterName(code, origin) ? CLUSTER_NAME : ADVICE[code]) ??
    (isTls(code) ? TLS_ADVICE : isNoHttp(error) ? NOT_HTTP : undefined)
  const maybe = origin.startsWith('https:') && advice === CLOSED ? `; or ${WANTS_CERTIFICATE}` : ''
  const words = `${origin}: ${said}${advice === undefined ? '' : `: ${advice}${maybe}`}`
  return { verdict: 'retry', status: 0, words, pressure: !PROTOCOL_ERRORS.has(code) }
}

/** What an event whose headers or data HTTP can't carry is dead of (fault 32). */
export const UNWRITABLE = "the event can't be written as an HTTP request"
const UNWRITABLE_ERRORS = new Set([
  'UND_ERR_INVALID_ARG',
  'UND_ERR_NOT_SUPPORTED',
  'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
])
/** undici's word for an answer 101. */
const BAD_UPGRADE = 'bad upgrade'
const TLS_ADVICE =
  'TLS failed; check its certificate, the host in the URL, and CACerts of the destination for a CA of your own'
const WANTS_CERTIFICATE = 'the subscriber wants a client certificate from somebody that it trusts'
const CLOSED = 'the subscriber closed the connection before it answered'
const NOT_HTTP = 'what listens there does not speak HTTP/1.1; check scheme and port'

/** Knative's tutorials, run outside of a cluster. */
const CLUSTER_NAME =
  'that name is known inside of a Kubernetes cluster alone; elsewhere declare the Service with ' +
  'type: ExternalName, externalName: 127.0.0.1 and ports: [{port: 9000}], or give a uri'

function isClusterName(code: string, origin: string): boolean {
  return (code === 'ENOTFOUND' || code === 'EAI_AGAIN') && /\.svc(\.cluster\.local)?(:\d+)?$/.test(origin)
}

const ADVICE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there; start the subscriber, or check host and port',
  ENOTFOUND: 'there is no such host; check the name, or the DNS',
  EAI_AGAIN: 'the DNS does not answer; check the resolver of this machine',
  EHOSTUNREACH: 'no route to the host; check address and network',
  ENETUNREACH: 'no route to the network; check address and network',
  ETIMEDOUT: 'the host does not answer; check address and firewalls',
  UND_ERR_CONNECT_TIMEOUT: 'the host does not answer; check address and firewalls',
  ECONNRESET: CLOSED,
  EPIPE: CLOSED,
  UND_ERR_SOCKET: CLOSED,
  UND_ERR_HEADERS_OVERFLOW: 'the headers of the answer are larger than responseHeaderBytesMax',
  [ANSWER_LONG]: 'it was broken off at twice what responseBytesMax and responseHeaderBytesMax allow',
  EMFILE: 'this process has too many files and sockets open; raise its limit (ulimit -n)',
  ENFILE: 'this machine has too many files and sockets open; raise its limit (fs.file-max)',
  EADDRNOTAVAIL: 'this machine has no port left for the connection; let it have more (ip_local_port_range)',
  EPROTO: TLS_ADVICE,
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: WANTS_CERTIFICATE,
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: WANTS_CERTIFICATE,
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: WANTS_CERTIFICATE,
}

/** The target is there, and this answer is none: of another event it may be. */
const PROTOCOL_ERRORS = new Set(['UND_ERR_HEADERS_OVERFLOW', 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH', ANSWER_LONG])

/** Whoever listens there, the subscriber it is not. undici's parser has not always a code to give. */
function isNoHttp(error: Error): boolean {
  return error.name === 'HTTPParserError' || codeOf(error) === ASSERTION
}

/** A status below 100 is no error to undici's parser, but a surprise to the rest of it. */
const ASSERTION = 'ERR_ASSERTION'

function isTls(code: string): boolean {
  return code.startsWith('ERR_TLS') || code.startsWith('ERR_SSL') || code.includes('CERT') || code.includes('SIGNATURE')
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** Of several addresses that were tried, node puts one error for each into an AggregateError without a message. */
function messageOf(error: Error): string {
  if (codeOf(error) === ASSERTION) return 'the answer has a status that there is not'
  if (!(error instanceof AggregateError)) return error.message
  return error.errors.map((each: unknown) => (each instanceof Error ? each.message : String(each))).join(', ')
}

/** Whether an error before the first byte of an answer may only mean that a kept-alive connection had gone stale. */
export function isStaleConnection(error: Error): boolean {
  const code = codeOf(error)
  return code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE'
}
