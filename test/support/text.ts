// Text that comes in pieces, such as what a process prints, and a way to wait for a part of it.

import type { Readable } from 'node:stream'

/** What has come so far, and will come. */
export interface Text {
  /** All of it so far. */
  soFar(): string
  /**
   * Resolves with the first match in all of it, as soon as it is there.
   *
   * @throws an Error with the whole text, where it ends without one
   */
  until(pattern: RegExp): Promise<RegExpExecArray>
}

/** Collects a stream as UTF-8. */
export function collectText(stream: Readable): Text {
  let text = ''
  let ended = false
  let changed = Promise.withResolvers<void>()
  const tell = (): void => {
    changed.resolve()
    changed = Promise.withResolvers()
  }
  stream.setEncoding('utf8')
  stream.on('data', (piece: string) => {
    text += piece
    tell()
  })
  stream.on('close', () => {
    ended = true
    tell()
  })
  return {
    soFar: () => text,
    async until(pattern) {
      for (;;) {
        const match = pattern.exec(text)
        if (match !== null) return match
        if (ended) throw new Error(`Nothing matched ${String(pattern)} in:\n${text}`)
        await changed.promise
      }
    },
  }
}
