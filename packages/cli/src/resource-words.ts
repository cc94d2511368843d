// The words for resources of a running sluice: look at them, and change them.

import { Option, type Command } from 'commander'
import { allNamespacesFlag, clientWord, outputFlag } from './flags.ts'

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
