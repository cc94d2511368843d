// `sluice validate`: check files without running them, or print a kind's schema.

import { didYouMean, formatProblems, jsonSchema, jsonSchemaOf, kindByName, kinds, loadFiles } from '@sluice/resource'
import { EXIT, exitWith } from './exit.ts'
import { loadSources } from './own-sources.ts'

export async function validate(paths: string[], options: { schema?: string; source?: string[] }): Promise<void> {
  await loadSources(options.source, (message) => exitWith(EXIT.failed, `sluice validate: ${message}`))
  if (options.schema !== undefined) return printSchema(options.schema)
  if (paths.length === 0) exitWith(EXIT.usage, 'sluice validate: name the files or folders to check.')
  const { resources, problems, files } = await loadFiles(paths)
  if (problems.length > 0) process.stderr.write(`${formatProblems(problems)}\n`)
  const errors = problems.filter(({ severity }) => severity === 'error').length
  const warnings = problems.length - errors
  if (files.length === 0 && errors === 0) exitWith(EXIT.failed, 'sluice validate: there is nothing to check.')
  process.stdout.write(
    `${count(files.length, 'file')}, ${count(resources.length, 'resource')}: ` +
      `${errors === 0 ? 'valid' : count(errors, 'error')}${warnings === 0 ? '' : `, ${count(warnings, 'warning')}`}\n`,
  )
  if (errors > 0) exitWith(EXIT.failed)
}

function printSchema(name: string): void {
  if (name === 'all') {
    return void process.stdout.write(`${JSON.stringify(jsonSchemaOf(kinds.filter(({ run }) => run)), null, 2)}\n`)
  }
  const known = kindByName(name)
  if (known === undefined) {
    const run = kinds.filter((each) => each.run).map(({ kind }) => kind)
    const meant = didYouMean(
      name,
      kinds.map(({ kind }) => kind),
    )
    const hint = meant ?? `Those that this version acts on are ${run.join(', ')}.`
    exitWith(EXIT.usage, `sluice validate: there is no kind ${JSON.stringify(name)}. ${hint}`)
  }
  process.stdout.write(`${JSON.stringify(jsonSchema(known), null, 2)}\n`)
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
