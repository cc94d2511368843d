// A server of the tests as a process: killed, paused and started again at will, and gone with the tests.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'

export class ServerProcess {
  #child: ChildProcess | undefined

  /** Starts it; rejects where it ends before `listening` resolves. */
  async start(program: string, words: readonly string[], listening: () => Promise<unknown>): Promise<void> {
    const child = spawn(program, words, { stdio: 'ignore' })
    this.#child = child
    running.add(child)
    const failed = once(child, 'exit').then(([code]) => {
      throw new Error(`${program} ended with ${code} before it listened`)
    })
    failed.catch(() => {})
    await Promise.race([listening(), failed])
  }

  /** As by kill -9. */
  async kill(): Promise<void> {
    const ended = this.#child
    this.#child = undefined
    if (ended === undefined || ended.exitCode !== null || ended.signalCode !== null) return
    const exit = once(ended, 'exit')
    ended.kill('SIGKILL')
    await exit
    running.delete(ended)
  }

  /** SIGSTOP: it holds its connections and answers nothing. */
  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Of the loopback interface. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
