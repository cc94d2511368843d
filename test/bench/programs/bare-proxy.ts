// The yardstick of the HTTP goals, run as `node bare-proxy.ts UPSTREAM`: node:http and undici with nothing between
// them. Headers and bytes go through as they came, and the sender is answered when the upstream has answered.

import { relay, unchanged } from './relay.ts'

await relay(process.argv[2]!, unchanged)
