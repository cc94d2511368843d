// What somebody sends to the API: one JSON or YAML document, within the bounds of files.

import { readJson } from './json.ts'
import { toldAs } from './problem.ts'
import { readDocuments } from './yaml.ts'

/** A value that is nobody else's; or why it can't be read, with line and column. */
export type Parsed =
  | { readonly value: unknown; readonly fault?: undefined }
  | { readonly value?: undefined; readonly fault: string }

/** Reads one document; a second one is a fault. */
export function parseResource(bytes: Uint8Array, form: 'json' | 'yaml'): Parsed {
  let text: string
  try {
    text = UTF_8.decode(bytes)
  } catch {
    return { fault: 'It is not UTF-8.' }
  }
  const documents = [...(form === 'json' ? readJson(text) : readDocuments(text))]
  const fault = documents.flatMap(({ faults }) => faults)[0]
  if (fault !== undefined) return { fault: `${placeOf(text, fault.offset)}: ${toldAs(fault.message, fault.hint)}` }
  const values = documents.map(({ value }) => value).filter((value) => value !== null && value !== undefined)
  if (values.length > 1) return { fault: 'There is more than one document in it.' }
  return { value: values[0] }
}

const UTF_8 = new TextDecoder('utf-8', { fatal: true })

function placeOf(text: string, offset: number): string {
  const before = text.slice(0, offset)
  return `line ${before.split('\n').length}, column ${offset - before.lastIndexOf('\n')}`
}
