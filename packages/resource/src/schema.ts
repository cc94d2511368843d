// The JSON Schema of each kind: what editors complete by, and, through ajv, the first check of what comes in.

import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import type { JsonSchema, Kind } from './kind.ts'
import { METADATA_SCHEMA } from './metadata.ts'
import { didYouMean, nearest } from './nearest.ts'
import { pathText, type Finding, type Path } from './problem.ts'
import { apiVersionOf, isRecord } from './resource.ts'

/**
 * The full JSON Schema (draft 7) of a resource of this kind, as editors and `sluice validate --schema` use it.
 * Unknown fields are errors in it. It says what a person may write, in any version that is taken without a change;
 * of a `version` that has a form of its own, in that.
 */
export function jsonSchema(
  kind: Kind,
  version?: string,
): JsonSchema & { readonly $schema: string; readonly title: string } {
  const form = version === undefined ? undefined : kind.forms?.[version]
  const [stored] = form === undefined ? kind.versions : [version]
  const { fields, required = [] } = form ?? kind
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: kind.kind,
    description: kind.description,
    type: 'object',
    required: ['apiVersion', 'kind', 'metadata', ...required],
    additionalProperties: fields === undefined,
    properties: {
      apiVersion: {
        type: 'string',
        description: 'Group and version of this form.',
        ...(stored !== undefined && { enum: [apiVersionOf(kind.group, stored)] }),
      },
      kind: { type: 'string', description: 'The kind of this resource.', enum: [kind.kind] },
      metadata: METADATA_SCHEMA,
      ...fields,
      status: STATUS_SCHEMA,
    },
  }
}

/**
 * One JSON Schema for files that hold resources of many kinds, as editors complete and check them by: which kind's it is,
 * apiVersion and kind say. Kinds that are not among `kinds` are let pass.
 */
export function jsonSchemaOf(kinds: readonly Kind[]): object {
  const all = kinds.flatMap((kind) => {
    const forms = [kind.versions[0], ...Object.keys(kind.forms ?? {})].filter((version) => version !== undefined)
    return [...new Set(forms)].map((version) => ({ kind, version, apiVersion: apiVersionOf(kind.group, version) }))
  })
  const completed = (values: string[], description: string): object => {
    return { type: 'string', description, anyOf: [{ enum: [...new Set(values)] }, {}] }
  }
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Resources of Sluice',
    type: 'object',
    required: ['apiVersion', 'kind', 'metadata'],
    properties: {
      apiVersion: completed(
        all.map(({ apiVersion }) => apiVersion),
        'Group and version.',
      ),
      kind: completed(
        all.map(({ kind }) => kind.kind),
        'The kind of this resource.',
      ),
    },
    allOf: all.map(({ kind, version, apiVersion }) => {
      const { $schema: _dialect, ...then } = jsonSchema(kind, kind.forms?.[version] === undefined ? undefined : version)
      // oxlint-disable-next-line unicorn/no-thenable -- JSON Schema's word
      return { if: { properties: { apiVersion: { const: apiVersion }, kind: { const: kind.kind } } }, then }
    }),
  }
}

/** The part of a status that every kind has (spec 99 to 105). */
const STATUS_SCHEMA: JsonSchema = {
  type: 'object',
  description: 'Written by Sluice; what a file says here is left out.',
  properties: {
    observedGeneration: { type: 'integer', description: 'The generation of the resource that this is about.' },
    conditions: {
      type: 'array',
      description: 'What is well and what is not; Ready sums it up.',
      items: {
        type: 'object',
        required: ['type', 'status'],
        properties: {
          type: { type: 'string', description: 'What this is about; unique in the list.' },
          status: { type: 'string', enum: ['True', 'False', 'Unknown'], description: 'Whether it is well.' },
          severity: { type: 'string', description: 'Absent: it counts for Ready. Info and Warning do not.' },
          lastTransitionTime: { type: 'string', description: 'When status changed last.' },
          reason: { type: 'string', description: 'Why, in one word.' },
          message: { type: 'string', description: 'Why, and what to do.' },
        },
      },
    },
  },
}

/** What the schema of the kind finds wrong. The resource is of the stored version already, or of one with its own form. */
export function schemaFindings(kind: Kind, resource: unknown, version?: string): Finding[] {
  const validate = validatorOf(kind, version)
  if (validate(resource)) return []
  const findings: Finding[] = []
  for (const error of validate.errors!.slice(0, ERRORS_MAX)) {
    const path = pathOf(error.instancePath, resource)
    findings.push(findingOf(error, path, kind, version))
  }
  return findings
}

/** Of one resource; a list of a million wrong items is wrong once told. */
const ERRORS_MAX = 100

/** By kind, or by the form of a version. */
const validators = new WeakMap<object, ValidateFunction>()

/**
 * Compiled when the first resource of the kind comes, then kept. That is on the way of every start: the schema of
 * schemas is left to the tests and the generated code as it comes, which makes it 30 ms instead of 85 for two kinds.
 */
function validatorOf(kind: Kind, version?: string): ValidateFunction {
  const key = (version !== undefined && kind.forms?.[version]) || kind
  let validate = validators.get(key)
  if (validate === undefined) {
    const { $schema: _, ...schema } = jsonSchema(kind, version)
    const ajv = new Ajv({
      allErrors: true,
      verbose: true,
      meta: false,
      validateSchema: false,
      code: { optimize: false },
    })
    ajv.addVocabulary(['patternErrorMessage'])
    validate = ajv.compile((kind.judged ?? []).reduce(withoutPath, schema))
    validators.set(key, validate)
  }
  return validate
}

/** The schema that takes anything at this path of properties: somebody else judges what stands there. */
function withoutPath(schema: JsonSchema, [step, ...rest]: Path): JsonSchema {
  if (step === undefined) return {}
  const { properties = {} } = schema
  return { ...schema, properties: { ...properties, [step]: withoutPath(properties[step] ?? {}, rest) } }
}

/** The steps of a JSON Pointer. Which of them are indexes only the value itself can say. */
function pathOf(pointer: string, value: unknown): (string | number)[] {
  const path: (string | number)[] = []
  let at = value
  for (const part of pointer.split('/').slice(1)) {
    const step = part.replaceAll('~1', '/').replaceAll('~0', '~')
    path.push(Array.isArray(at) ? Number(step) : step)
    at = Array.isArray(at) ? at[Number(step)] : isRecord(at) && Object.hasOwn(at, step) ? at[step] : undefined
  }
  return path
}

function findingOf(error: ErrorObject, path: Path, kind: Kind, version?: string): Finding {
  const schema = isSchema(error.parentSchema) ? error.parentSchema : {}
  switch (error.keyword) {
    case 'additionalProperties': {
      const field = String(error.params['additionalProperty'])
      return {
        severity: 'error',
        code: 'SLUICE_RESOURCE_UNKNOWN_FIELD',
        path: [...path, field],
        at: 'key',
        message: `unknown field "${pathText([...path, field])}"`,
        hint: placeOf(field, path, schema, kind, version),
      }
    }
    case 'required':
      return {
        severity: 'error',
        code: 'SLUICE_RESOURCE_MISSING_FIELD',
        path,
        at: 'key',
        message: `missing field(s): ${pathText([...path, String(error.params['missingProperty'])])}`,
        hint: purposeOf(schema.properties?.[String(error.params['missingProperty'])]),
      }
    default: {
      const value = error.keyword === 'type' && typeof error.data === 'string' ? JSON.stringify(error.data) : error.data
      const shown = kind.sensitive === true ? 'a value that is not shown' : show(value)
      return {
        severity: 'error',
        code: 'SLUICE_RESOURCE_INVALID',
        path,
        message: `invalid value: ${shown}: ${pathText(path)}`,
        hint: `It has to be ${allowedBy(error, schema)}.${adviceFor(error, schema)}`,
      }
    }
  }
}

/** ajv gives back the part of the schema that it was given. */
function isSchema(value: unknown): value is JsonSchema {
  return isRecord(value)
}

/** Where an unknown field belongs: the field that was meant, or the place where one of that name is known. */
function placeOf(field: string, path: Path, parent: JsonSchema, kind: Kind, version: string | undefined): string {
  const known = Object.keys(parent.properties ?? {})
  const elsewhere = nearest(field, known) === undefined ? findField(field, jsonSchema(kind, version), []) : undefined
  if (elsewhere !== undefined) return `${field} is known as ${pathText(elsewhere)}: check the indentation.`
  const meant = didYouMean(field, known)
  if (meant !== undefined) return meant
  const where = path.length === 0 ? `A ${kind.kind}` : pathText(path)
  return known.length === 0 ? `${where} has no fields.` : `${where} has ${known.join(', ')}.`
}

/** The shallowest path at which the schema knows a field of this name. */
function findField(field: string, schema: JsonSchema, path: Path): Path | undefined {
  const properties = Object.entries(schema.properties ?? {})
  if (properties.some(([name]) => name === field)) return [...path, field]
  return properties
    .map(([name, property]) => findField(field, property, [...path, name]))
    .filter((found) => found !== undefined)
    .toSorted((a, b) => a.length - b.length)[0]
}

function purposeOf(schema: JsonSchema | undefined): string {
  return schema?.description === undefined ? 'It is required.' : `It is required: ${lowerFirst(schema.description)}`
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1)
}

const TYPE_WORDS: Record<string, string> = {
  object: 'a mapping (key: value)',
  array: 'a list (lines that begin with "- ")',
  string: 'text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
}

function allowedBy(error: ErrorObject, schema: JsonSchema): string {
  switch (error.keyword) {
    case 'enum':
      return (schema.enum ?? []).join(' or ')
    case 'minimum':
      return `${schema.minimum} or more`
    case 'maximum':
      return `at most ${schema.maximum}`
    case 'minItems':
      return `a list of at least ${schema.minItems}`
    case 'maxLength':
      return `at most ${schema.maxLength} characters`
    case 'pattern':
      return schema.patternErrorMessage ?? `of the form ${schema.pattern}`
    default:
      return schema.patternErrorMessage ?? TYPE_WORDS[String(schema.type)] ?? String(error.message)
  }
}

/** What `name:default` lacks. */
export const SPACE_AFTER_COLON = ' A colon needs a space after it.'

/** The likeliest slip behind a wrong value. */
function adviceFor(error: ErrorObject, schema: JsonSchema): string {
  const { data } = error
  if (error.keyword === 'enum' && typeof data === 'string') {
    const meant = didYouMean(data, schema.enum ?? [])
    return meant === undefined ? '' : ` ${meant}`
  }
  if (schema.patternErrorMessage?.includes('ISO 8601') === true) return durationAdvice(data)
  if (error.keyword !== 'type') return ''
  if (data === null) return ' There is nothing: give it a value, or remove the line.'
  if (schema.type === 'string' && (typeof data === 'number' || typeof data === 'boolean')) return ' Put it in quotes.'
  if (schema.type === 'string' && isRecord(data)) return ' Is a "|" missing after the colon?'
  if (schema.type === 'object' && typeof data === 'string' && /\w:\S/.test(data)) return SPACE_AFTER_COLON
  if (schema.type === 'integer' && typeof data === 'string' && /^\d+$/.test(data)) return ' Remove the quotes.'
  return ''
}

/** `30s`, 30 and `pt30s` are what people write for PT30S. */
function durationAdvice(data: unknown): string {
  const short = /^(\d+(?:\.\d+)?) ?(ms|s|m|h|d)?$/i.exec(String(data))
  if (short !== null) {
    const [, amount, unit = 's'] = short
    if (unit.toLowerCase() === 'ms') return ` Did you mean PT${Number(amount) / 1000}S?`
    return ` Did you mean P${unit.toLowerCase() === 'd' ? '' : 'T'}${amount}${unit.toUpperCase()}?`
  }
  const upper = String(data).toUpperCase()
  return new RegExp(/^PT?[\d.,]+[WDHMS]$/).test(upper) && upper !== data ? ` Did you mean ${upper}?` : ''
}

/** A value in a message: short, on one line. */
export function show(value: unknown): string {
  if (typeof value === 'string') return shorten(value === '' ? '""' : value)
  if (value === null || value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'a mapping' : shorten(JSON.stringify(value))
}

function shorten(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ')
  return line.length > SHOWN_CHARACTERS_MAX ? `${line.slice(0, SHOWN_CHARACTERS_MAX)}…` : line
}

const SHOWN_CHARACTERS_MAX = 60
