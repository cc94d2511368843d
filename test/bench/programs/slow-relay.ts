// A relay that burns some CPU for every event, run as `node slow-relay.ts UPSTREAM MICROSECONDS`: it proves that the
// benchmark sees a slower program as slower, by as much as it is.

import { relay, unchanged } from './relay.ts'

const burnMs = Number(process.argv[3]) / 1000

await relay(process.argv[2]!, (headers, body) => {
  const until = performance.now() + burnMs
  while (performance.now() < until);
  return unchanged(headers, body)
})
