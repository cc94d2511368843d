// A subscriber that says when it has got a request, and answers so many as it is told to.

import { createServer, type ServerResponse } from 'node:http'
import { parentPort, workerData } from 'node:worker_threads'

const answered: Int32Array = workerData
const held: ServerResponse[] = []
const server = createServer((request, response) => {
  request.resume().on('end', () => {
    held.push(response)
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- of a worker, not of a window
    parentPort!.postMessage('received')
  })
})
parentPort!.on('message', (n: number) => {
  for (const response of held.splice(0, n)) {
    response.writeHead(202).end(() => {
      Atomics.add(answered, 0, 1)
      Atomics.notify(answered, 0)
    })
  }
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- of a worker, not of a window
  parentPort!.postMessage(typeof address === 'object' ? `http://127.0.0.1:${address?.port}/` : '')
})
