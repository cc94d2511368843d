// The words for resources of a running sluice: look at them, and change them.

import { Option, type Command } from 'commander'
import { allNamespacesFlag, clientWord, collect, outputFlag } from './flags.ts'

const KINDS = 'KIND, KIND/NAME or KINDS with commas, by plural, singular or short name; all'

/** `sluice get`. */
export function getCommand(): Command {
  return clientWord('get', 'What is declared in a running sluice, and how it does.')
    .argument('<kind>', KINDS)
    .argument('[names...]', 'of these alone')
    .addOption(allNamespacesFlag())
    .addOption(outputFlag())
    .addOption(new Option('-l, --selector <labels>', 'with these labels: a=b,c!=d'))
    .addOption(new Option('-w, --watch', 'then go on with what changes'))
    .action(async (kind: string, names: string[], options) =>
      (await import('./get.ts')).getResources([kind, ...names], options),
    )
}

/** `sluice describe`. */
export function describeCommand(): Command {
  return clientWord('describe', 'All about a resource: conditions, policy, backlog, the last failure.')
    .argument('<kind>', KINDS)
    .argument('[names...]', 'of these alone')
    .action(async (kind: string, names: string[], options) =>
      (await import('./describe.ts')).describe([kind, ...names], options),
    )
}

/** `sluice apply`. */
export function applyCommand(): Command {
  return clientWord('apply', 'Write the resources of files into a running sluice, which keeps them.')
    .addOption(filesFlag().makeOptionMandatory())
    .option('--dry-run', 'say what would become of them, and change nothing')
    .action(async (options) => (await import('./apply.ts')).apply(options))
}

/** `sluice diff`. */
export function diffCommand(): Command {
  return clientWord('diff', 'What apply would change, as a diff; exits with 1 where that is anything.')
    .addOption(filesFlag().makeOptionMandatory())
    .action(async (options) => (await import('./apply.ts')).diff(options))
}

/** `sluice delete`. */
export function deleteCommand(): Command {
  return clientWord('delete', 'Remove resources that came through the API from a running sluice.')
    .argument('[words...]', 'KIND NAME..., or KIND/NAME...')
    .addOption(filesFlag())
    .option('--ignore-not-found', 'what is not there is no failure')
    .action(async (words: string[], options) => (await import('./apply.ts')).remove(words, options))
}

function filesFlag(): Option {
  return new Option('-f, --filename <path>', 'a folder, read recursively, or a file; may be repeated').argParser(
    collect,
  )
}
