// A request may name its whole URL, `POST http://host/default/default`, as to a proxy: every server has to take that, and
// to go by the host in it (RFC 9112, 3.2.2; spec 115). From here on nobody can tell it from the usual form.

import type { IncomingMessage } from 'node:http'

/** Makes the absolute form of a request's target the origin form, and its authority the Host. Leaves others alone. */
export function toOriginForm(request: IncomingMessage): void {
  const [whole, authority, rest = ''] = ABSOLUTE.exec(request.url as string) ?? []
  if (whole === undefined) return
  request.url = rest.startsWith('/') ? rest : `/${rest}`
  request.headers.host = authority
}

/** With a user in it, it is none of a request (RFC 9110, 4.2.4). */
const ABSOLUTE = /^https?:\/\/([^/?#@]+)([/?].*)?$/is
