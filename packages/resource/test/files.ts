// Files on disk for a test, and what loading them says.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import { formatProblems, loadFiles, type Loaded, type LoadLimits, type Problem, type Resource } from '../src/index.ts'

/** A folder with these files, gone after the test. */
export async function folderOf(files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-resource-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), content)
  }
  return folder
}

/** Loads one file of this text; its name in messages is `a.yaml`. */
export async function load(text: string, limits?: LoadLimits): Promise<Loaded> {
  return loadFolder({ 'a.yaml': text }, limits)
}

/** Loads a folder with these files, named in messages as they are here. */
export async function loadFolder(
  files: Readonly<Record<string, string | Uint8Array>>,
  limits?: LoadLimits,
): Promise<Loaded> {
  const folder = await folderOf(files)
  const { problems, ...loaded } = await loadFiles([folder], limits)
  return { ...loaded, problems: problems.map((problem) => shorten(problem, `${folder}/`)) }
}

function shorten(problem: Problem, prefix: string): Problem {
  return { ...problem, file: problem.file.replace(prefix, ''), message: problem.message.replaceAll(prefix, '') }
}

/** The only resource of this text, which has no errors. */
export async function one(text: string): Promise<Resource> {
  const { resources, problems } = await load(text)
  const errors = problems.filter(({ severity }) => severity === 'error')
  if (errors.length > 0 || resources.length !== 1)
    throw new Error(formatProblems(errors) || `${resources.length} resources`)
  return resources[0]!.resource
}

/** The codes of what is wrong with this text. */
export async function codes(text: string, limits?: LoadLimits): Promise<string[]> {
  return (await load(text, limits)).problems.map(({ code }) => code)
}

/** A Trigger with these lines in its spec, each as it stands under `spec:`. */
export function triggerOf(spec: string, metadata = 'name: t'): string {
  return `apiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata:\n${indent(metadata)}\nspec:\n${indent(spec)}\n`
}

function indent(lines: string): string {
  return lines.replaceAll(/^/gm, '  ')
}

/** A Broker named `default`, so that triggers have one. */
export const BROKER: string = 'apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {name: default}\n'
