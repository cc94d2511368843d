// What a kind is. Each kind is one file in `kinds/` that fills in this form, and one line in `kinds/index.ts`; the
// loader, the store, the schemas and the API read the form and know no kind by name.

import type { ConditionTypes } from './conditions.ts'
import type { Finding, Path, Severity } from './problem.ts'
import type { Resource } from './resource.ts'

/** A JSON Schema, draft 7, of the part that our kinds use. `$ref` is not among it: an editor shows what stands here. */
export interface JsonSchema {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean'
  readonly description?: string
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | JsonSchema
  readonly items?: JsonSchema
  readonly enum?: readonly string[]
  readonly pattern?: string
  /** What `pattern` asks for, as words after "It has to be ". Editors that know it show it. */
  readonly patternErrorMessage?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly minItems?: number
  readonly maxLength?: number
  readonly examples?: readonly unknown[]
}

/** Everything that Sluice knows about a kind of resource. */
export interface Kind {
  /** Empty for the core group. */
  readonly group: string
  readonly kind: string
  readonly plural: string
  readonly singular: string
  readonly shortNames: readonly string[]
  /** Such as `all`, `knative`, `eventing`: what `kubectl get knative` lists. */
  readonly categories: readonly string[]
  readonly namespaced: boolean
  /** The versions that are taken, the stored one first. Empty: any version is taken and kept as it was written. */
  readonly versions: readonly [string, ...string[]] | readonly []
  /** `group/version` that it had in earlier days: taken from files as what it is today, with a warning. */
  readonly formerly?: string
  /** The versions that the API offers it in, where `versions` is empty. Default `v1`. */
  readonly served?: readonly string[]
  /** One sentence; it opens the kind's JSON Schema. */
  readonly description: string
  /** Whether this version acts on it. One that isn't is kept and shown, with a warning. */
  readonly run: boolean
  /** Of one that isn't acted on: what to do instead. */
  readonly instead?: string
  /** The rule for its names. `path`: whatever stands in a URL path, as Kubernetes has it for RBAC. */
  readonly naming: 'label' | 'subdomain' | 'path'
  /** Its values are secrets, and stay out of messages. */
  readonly sensitive?: boolean
  /** The schemas of its fields beside apiVersion, kind, metadata and status. Absent: not checked. */
  readonly fields?: Readonly<Record<string, JsonSchema>>
  /** Which of {@link fields} have to be there. */
  readonly required?: readonly string[]
  /** Versions whose form is another one than the stored: what is written in them is checked by it, then converted. */
  readonly forms?: Readonly<Record<string, Form>>
  /** Paths of properties whose content `validate` judges whole, so that nothing is told twice. */
  readonly judged?: readonly Path[]
  /** The annotations it knows. Unknown ones under `sluice.dev/` are refused. */
  readonly annotations?: Readonly<Record<string, AnnotationRule>>
  /** What may not change as long as the resource lives. */
  readonly immutable?: readonly Path[]
  readonly conditions?: ConditionTypes
  /** What a table shows of it after its name, in their order. Default: its age. */
  readonly columns?: readonly Column[]
  /** Fields that can be selected by (`--field-selector`), beside `metadata.name` and `metadata.namespace`. */
  readonly selectable?: readonly string[]
  /** What stands in place of a value that nobody may read again. Absent: everything may be read. */
  readonly hide?: (resource: Resource) => Resource
  /** Turns what was written in the older `version` into the stored one, in place. Runs before the schema is asked. */
  readonly convert?: (draft: Draft, version: string, report: Report) => void
  /** Fills in what was left out, in place. Runs after the schema, whatever that found: it checks what it touches. */
  readonly defaults?: (draft: Draft) => void
  /** Rules beyond the schema. It checks the types of what it reads, for the schema's errors don't stop it. */
  readonly validate?: (draft: Draft, report: Report) => void
  /** Of a source: its spec as the source gets it, with durations and sizes in numbers. Default: as it stands there. */
  readonly settings?: (resource: Resource) => Readonly<Record<string, unknown>>
  /** What it points to, for the warning that something isn't there. */
  readonly references?: (resource: Resource) => Reference[]
  /**
   * The URL of an object of this kind that says none in its status; of one that is in no file too (`resource` is
   * absent then). `undefined`: it has none.
   */
  readonly address?: (
    name: { readonly namespace: string; readonly name: string },
    resource: Resource | undefined,
    suffix: string,
  ) => string | undefined
}

/** What a kind is like in a version that has a form of its own. */
export interface Form extends Pick<Kind, 'fields' | 'required' | 'columns'> {
  /** A stored resource in this form: the inverse of {@link Kind.convert}, by which nothing is lost. */
  readonly present: (resource: Resource) => Resource
}

/** A resource on its way in: what was written, of which only what `admit` checked first is certain. */
export interface Draft {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace: string; labels: Record<string, string>; annotations: Record<string, string> }
  [field: string]: unknown
}

/** A column of a table of resources, as kubectl prints it. */
export interface Column {
  /** kubectl prints it in capitals. */
  readonly name: string
  readonly description: string
  /** `date`: an RFC 3339 timestamp, shown as how long ago that is. Default `string`. */
  readonly type?: 'string' | 'date' | 'integer'
  /** Shown with `-o wide` alone. */
  readonly wide?: boolean
  /** What stands there; `undefined` and '' show as nothing. */
  readonly value: (resource: Resource) => unknown
}

/** Takes findings, errors unless they say otherwise. */
export type Report = (finding: Omit<Finding, 'severity'> & { readonly severity?: Finding['severity'] }) => void

/** An annotation that a kind knows. */
export interface AnnotationRule {
  /** One sentence for the reference. */
  readonly description: string
  /** What is allowed, as words after "It has to be ", when the value isn't; `undefined` when it is fine. */
  readonly refuse: (value: string) => string | undefined
  /** The values, where they are few. */
  readonly values?: readonly string[]
  /** That this version does not act on the value: an error where somebody would rely on it in vain. */
  readonly notYet?: (value: string) => Severity | undefined
}

/** A pointer to another resource. */
export interface Reference {
  readonly path: Path
  readonly apiVersion: string
  readonly kind: string
  readonly namespace: string
  readonly name: string
  /** What it means that it isn't there. */
  readonly missing: string
}
