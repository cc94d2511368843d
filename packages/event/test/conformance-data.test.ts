// The events of the CloudEvents conformance repository, where a copy lies beside this one: ../shared/data/cloudevents.

import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeHttp, encodeBinary, encodeHeaderValue, encodeStructured, STRUCTURED_CONTENT_TYPE } from '@sluice/event'
import { describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { asRecord } from './message.ts'

const folder = join(import.meta.dirname, '../../../../shared/data/cloudevents')
const files = existsSync(folder) ? globSync('**/*.yaml', { cwd: folder }) : []

interface Described {
  ContextAttributes: Record<string, string> & { Extensions?: Record<string, string>; datacontenttype?: string }
  Data: string
}

describe.skipIf(files.length === 0)('conformance events (skipped: there is no ../shared/data/cloudevents)', () => {
  test.each(files)('CE-32: the events of %s are read in both modes and come out the same', (file) => {
    const documents = parseAllDocuments(readFileSync(join(folder, file), 'utf8'), { schema: 'failsafe' })
    expect(documents.length).toBeGreaterThan(0)
    for (const document of documents) {
      const { ContextAttributes, Data }: Described = document.toJS()
      const { Extensions = {}, datacontenttype, ...core } = ContextAttributes
      // The line break at the end of a block is YAML's; no attribute may hold one.
      const own = Object.entries({ ...core, ...Extensions }).map(([name, value]) => [name, value.trimEnd()] as const)
      const type = datacontenttype === undefined ? [] : ['content-type', datacontenttype]
      const headers = [...own.flatMap(([name, value]) => [`ce-${name}`, encodeHeaderValue(value)]), ...type]
      const event = decodeHttp(headers, Buffer.from(Data))[0]!
      for (const [name, value] of own) expect(event.attribute(name)).toBe(value)
      expect(event.attribute('datacontenttype')).toBe(datacontenttype)
      expect(event.data?.toString()).toBe(Data)
      expect(asRecord(encodeBinary(event))).toEqual(asRecord(headers))

      const back = decodeHttp(['content-type', STRUCTURED_CONTENT_TYPE], encodeStructured(event))[0]!
      expect(asRecord(encodeBinary(back))).toEqual(asRecord(headers))
      const json = datacontenttype?.includes('json') === true
      expect(back.data?.toString()).toBe(json ? Data.trim() : Data)
    }
  })
})
