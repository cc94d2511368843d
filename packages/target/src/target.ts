// The address of a subscriber, a reply's or a dead letter's receiver: parsed once, when it is applied.

import { SluiceError } from '@sluice/event'

/** Where events are sent. Made by {@link target}. */
export interface Target {
  readonly url: string
  readonly origin: string
  readonly path: string
}

/**
 * Parses the address of a subscriber: `http` or `https`, with a host, without user and password, up to 8 KiB. A
 * fragment is left out, as HTTP never sends one. Whether its host may be connected to is the guard's to say.
 *
 * @throws SluiceError `SLUICE_TARGET_INVALID`; its text never holds a password
 */
export function target(url: string): Target {
  if (url.length > URL_CHARACTERS_MAX) {
    throw invalidTarget(`has ${url.length} characters; ${URL_CHARACTERS_MAX} is the most`)
  }
  if (!URL.canParse(url)) throw invalidTarget(`${shown(url)} is no URL; write one such as http://127.0.0.1:8080/path`)
  const { protocol, username, password, origin, pathname, search } = new URL(url)
  if (protocol !== 'http:' && protocol !== 'https:') {
    throw invalidTarget(`has the scheme ${protocol.slice(0, -1)}; only http and https can be delivered to`)
  }
  // WHATWG URLs take the first word of a path for the host that is missing: http:///orders.
  if (!/^https?:\/\/[^/?#]/i.test(url)) {
    throw invalidTarget(`${shown(url)} has no host; write one such as http://127.0.0.1:8080/path`)
  }
  if (username !== '' || password !== '') {
    throw invalidTarget(`of ${origin} holds a user or password; take them out of the URL`)
  }
  const path = pathname + search
  return { url: origin + path, origin, path }
}

/** Of a request line, 8 KiB is what servers usually take. */
const URL_CHARACTERS_MAX = 8192

/** What stands before an `@` may be a password. */
function shown(url: string): string {
  return JSON.stringify(url.slice(url.lastIndexOf('@') + 1).slice(0, 200))
}

function invalidTarget(problem: string): SluiceError {
  return new SluiceError('SLUICE_TARGET_INVALID', `The address ${problem}.`, { status: 400, subject: 'uri' })
}
