// A .json file is JSON (RFC 8259) and no more: commas at the end, comments and single quotes are mistakes in it. kubectl
// refused them for years and takes them today, for where JSON fails it tries YAML; every other tool still refuses them.

import { extname } from 'node:path'
import { jsonTextFault, type JsonFault } from '@sluice/event'
import { tooDeep, YAML_LIMITS, type YamlFault, type YamlLimits } from './yaml-limits.ts'
import { faulty, readDocuments, type YamlDocument } from './yaml.ts'

/** Whether it is read as JSON, by its name. */
export function isJsonFile(file: string): boolean {
  return extname(file).toLowerCase() === '.json'
}

/** The value of a JSON text as the one document that it is, or what is wrong with it; none where the file is empty. */
export function* readJson(text: string, limits: YamlLimits = YAML_LIMITS): Generator<YamlDocument, void> {
  const fault = text.trim() === '' ? undefined : faultOf(text, limits)
  if (fault === undefined) yield* readDocuments(text, limits) // whatever is JSON is YAML
  else yield faulty(fault)
}

function faultOf(text: string, limits: YamlLimits): YamlFault | undefined {
  const bytes = Buffer.from(text)
  const fault = jsonTextFault(bytes, 0, limits.depthMax)
  if (fault === undefined) return undefined
  const offset = bytes.toString('utf8', 0, fault.at).length
  if (fault.tooDeep) return tooDeep(offset, limits)
  return {
    code: 'SLUICE_RESOURCE_JSON',
    offset,
    message: `This is no JSON: ${fault.what}.`,
    hint: hintFor(fault, text, offset),
  }
}

function hintFor({ what }: JsonFault, text: string, offset: number): string {
  if (/^[}\]]/.test(text.slice(offset)) && /,\s*$/.test(text.slice(0, offset))) return 'Remove the comma before it.'
  if (what === 'something follows after the end') return 'Put several resources into the items of one List.'
  return 'If it is meant to be YAML, call the file .yaml.'
}
