// Loaded into a program under test by `node --import`, only where memory is measured: on request it collects garbage
// and tells how much memory is left. It costs nothing while nobody asks.

import { createServer } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { isMainThread } from 'node:worker_threads'

/** What the probe answers, as JSON, to every connection; all in bytes (see process.memoryUsage). */
export interface MemoryReading {
  readonly rss: number
  readonly heapUsed: number
  readonly external: number
  readonly arrayBuffers: number
}

const socket = process.env['BENCH_PROBE']
if (isMainThread && socket !== undefined) {
  // Processes that the program starts are not probed.
  delete process.env['NODE_OPTIONS']
  delete process.env['BENCH_PROBE']
  setFlagsFromString('--expose-gc')
  const gc: NodeJS.GCFunction = runInNewContext('gc')
  // As V8 collects when it is about to run out: it gives back the room that the young generation grew to under load,
  // as it does by itself after some idle seconds. Else that is counted as if the events took it.
  const collect = (): void => gc({ type: 'major', execution: 'sync', flavor: 'last-resort' })
  const server = createServer((connection) => {
    collect()
    // The second pass frees what finalizers of the first let go; then the allocator has a moment to give pages back.
    setTimeout(() => {
      collect()
      setTimeout(() => connection.end(JSON.stringify(process.memoryUsage())), 200)
    }, 200)
  })
  server.listen(socket)
  server.unref()
}
