// Where resources that came through the API outlive the process: a folder with a file for each. A file is there whole or
// not at all, and is on the disk before anybody is told that the resource is stored.

import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { admit } from './admit.ts'
import { readJson } from './json.ts'
import { toldAs, type Problem } from './problem.ts'
import { isRecord, type Declared, type Metadata, type Resource } from './resource.ts'
import { YAML_LIMITS } from './yaml-limits.ts'

/** A folder of resources. It is made when the first is saved. */
export interface ResourceFolder {
  /** Whether there is anything in it. */
  readonly isEmpty: () => Promise<boolean>
  /**
   * All of them, as they were stored. A file that can't be read, or holds no valid resource, is a problem: what it
   * stood for would otherwise be taken for deleted.
   */
  readonly load: () => Promise<{ readonly resources: Declared[]; readonly problems: Problem[] }>
  /** Resolves once it is on the disk; rejects, with the file as it was, where that fails. */
  readonly save: (resource: Resource) => Promise<void>
  /** As {@link save}. */
  readonly remove: (resource: Resource) => Promise<void>
}

const ENDING = '.json'
/** Of a file that is not whole yet. One that is there at a start was never finished. */
const UNFINISHED = '.new'

/** The resources in the folder `path`. */
export function resourceFolder(path: string): ResourceFolder {
  return {
    isEmpty: async () => (await namesIn(path)).length === 0,
    async load() {
      const resources: Declared[] = []
      const problems: Problem[] = []
      for (const name of await namesIn(path)) {
        const file = join(path, name)
        if (name.endsWith(UNFINISHED)) await rm(file, { force: true })
        else if (name.endsWith(ENDING)) await loadFile(file, resources, problems)
      }
      return { resources, problems }
    },
    async save(resource) {
      await mkdir(path, { recursive: true })
      const file = join(path, fileOf(resource))
      // Secrets are among them: nobody else may read them.
      await writeFile(`${file}${UNFINISHED}`, textOf(resource), { mode: 0o600, flush: true })
      await rename(`${file}${UNFINISHED}`, file)
      await syncFolder(path)
    },
    async remove(resource) {
      await rm(join(path, fileOf(resource)), { force: true })
      await syncFolder(path)
    },
  }
}

async function namesIn(path: string): Promise<string[]> {
  try {
    return (await readdir(path)).toSorted()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** `trigger.default.orders.<uid>.json`: the uid makes it unique, the rest is for people, and shortened. */
function fileOf(resource: Resource): string {
  const { namespace, name, uid } = resource.metadata
  const words = [resource.kind.toLowerCase(), namespace, name].filter((word) => word !== '').join('.')
  return `${words.replaceAll(/[^\w.-]/g, '_').slice(0, WORDS_MAX)}.${uid}${ENDING}`
}

const WORDS_MAX = 150

/** Without what is found anew at every start. */
function textOf(resource: Resource): string {
  const { status: _status, metadata, ...content } = resource
  const { resourceVersion: _version, ...kept } = metadata
  const { apiVersion, kind, ...rest } = content
  return `${JSON.stringify({ apiVersion, kind, metadata: kept, ...rest }, undefined, 2)}\n`
}

async function loadFile(file: string, resources: Declared[], problems: Problem[]): Promise<void> {
  const fail = (message: string, hint?: string): void => {
    const kept = 'It holds what was written through the API. Mend it, or remove it: then the resource is deleted.'
    const told = toldAs(message, hint)
    problems.push({
      severity: 'error',
      code: 'SLUICE_RESOURCE_KEPT',
      file,
      line: 0,
      column: 0,
      message: told,
      hint: kept,
    })
  }
  try {
    const { size } = await stat(file)
    if (size > YAML_LIMITS.fileBytesMax) return fail(`The file has ${size} bytes; at most ${YAML_LIMITS.fileBytesMax} are read.`) // prettier-ignore
    const [document] = readJson(await readFile(file, 'utf8'))
    const fault = document?.faults[0]
    if (fault !== undefined) return fail(fault.message, fault.hint)
    const written = document?.value
    const metadata = isRecord(written) && isRecord(written['metadata']) ? { ...written['metadata'] } : {}
    const { resource, findings } = admit(written)
    const error = findings.find(({ severity }) => severity === 'error')
    if (error !== undefined) return fail(error.message, error.hint)
    if (typeof metadata['uid'] !== 'string' || typeof metadata['generation'] !== 'number') {
      return fail('It has no metadata.uid and metadata.generation.')
    }
    resources.push({ resource: restored(resource!, metadata) })
  } catch (error) {
    fail(`It can't be read (${(error as Error).message}).`)
  }
}

/** With what the store had given it. */
function restored(resource: Resource, metadata: Record<string, unknown>): Resource {
  const { uid, generation, creationTimestamp, generateName, ownerReferences, managedFields } =
    metadata as Partial<Metadata>
  return {
    ...resource,
    metadata: {
      ...resource.metadata,
      uid: uid!,
      generation: generation!,
      ...(creationTimestamp !== undefined && { creationTimestamp }),
      ...(generateName !== undefined && { generateName }),
      ...(ownerReferences !== undefined && { ownerReferences }),
      ...(managedFields !== undefined && { managedFields }),
    },
  }
}
