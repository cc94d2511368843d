import { expect, test } from 'vitest'
import { eventNumberOf, HEAD_BYTES_MAX, MessageReader, statusOf, subscriberOf } from '../load/message.ts'

interface Message {
  readonly head: string
  readonly body: string
}

const REQUEST = 'POST /7 HTTP/1.1\r\nce-id: 000000000042\r\nContent-Length: 11\r\n\r\nhello world'
const ACCEPTED = 'HTTP/1.1 202 Accepted\r\nDate: today\r\n\r\n'
const CHUNKED =
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;note=x\r\n world\r\n0\r\nTrailer: x\r\n\r\n'

test('requests and responses are read one after the other, whatever ends their bodies', () => {
  expect(readAll([REQUEST + ACCEPTED + CHUNKED + REQUEST])).toEqual([
    { head: headOf(REQUEST), body: 'hello world' },
    { head: headOf(ACCEPTED), body: '' },
    { head: headOf(CHUNKED), body: 'hello world' },
    { head: headOf(REQUEST), body: 'hello world' },
  ])
})

test('a message may be torn between any two of its bytes', () => {
  for (const message of [REQUEST, ACCEPTED, CHUNKED]) {
    const whole = readAll([message])
    for (let at = 1; at < message.length; at++) {
      expect(readAll([message.slice(0, at), message.slice(at) + REQUEST])).toEqual([...whole, ...readAll([REQUEST])])
    }
    expect(readAll(message.split(''))).toEqual(whole)
  }
})

test('what an earlier read left behind in the buffer is not taken for a part of the message', () => {
  const messages: Message[] = []
  const reader = readerInto(messages)
  const buffer = Buffer.from(REQUEST)
  reader.read(buffer, 20)
  expect(messages).toEqual([])
  reader.read(buffer.subarray(20), buffer.length - 20)
  expect(messages).toEqual([{ head: headOf(REQUEST), body: 'hello world' }])
})

test('a head or a line without an end, and a chunk size that is none, are errors', () => {
  const endless = Array.from({ length: HEAD_BYTES_MAX / 1024 + 2 }, () => 'x'.repeat(1024))
  expect(() => readAll(endless)).toThrow('a head of more than 65536 bytes')
  expect(() => readAll([CHUNKED.slice(0, CHUNKED.indexOf('5\r\n')), ...endless])).toThrow('a line of more than')
  expect(() => readAll([CHUNKED.replace('5\r\n', 'zzz\r\n')])).toThrow('"zzz" where a chunk size was expected')
})

test('status, subscriber and event number are found in a head', () => {
  expect(statusOf(ACCEPTED)).toBe(202)
  expect(statusOf('HTTP/1.1 429 Too Many Requests\r\n')).toBe(429)
  expect(subscriberOf(REQUEST)).toBe(7)
  expect(subscriberOf('POST /120?x HTTP/1.1\r\n')).toBe(120)
  expect(subscriberOf('POST / HTTP/1.1\r\n')).toBe(-1)
  expect(eventNumberOf(REQUEST)).toBe(42)
  expect(eventNumberOf('POST /7 HTTP/1.1\r\nCE-ID:7\r\n')).toBe(7)
  expect(eventNumberOf('POST /7 HTTP/1.1\r\nx-ce-id: 7\r\n')).toBe(-1)
})

function readAll(reads: readonly string[]): Message[] {
  const messages: Message[] = []
  const reader = readerInto(messages)
  for (const each of reads) reader.read(Buffer.from(each), each.length)
  return messages
}

function readerInto(messages: Message[]): MessageReader {
  let head = ''
  let body = ''
  return new MessageReader({
    head: (text) => {
      head = text
      body = ''
    },
    body: (bytes, start, end, offset) => {
      expect(offset).toBe(body.length)
      body += bytes.toString('latin1', start, end)
    },
    end: () => messages.push({ head, body }),
  })
}

function headOf(message: string): string {
  return message.slice(0, message.indexOf('\r\n\r\n') + 2)
}
