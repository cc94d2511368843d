// The words for what people do to a running sluice beside changing its resources.

import { Argument, Option, type Command } from 'commander'
import { allNamespacesFlag, clientWord, collect, outputFlag, wholeNumber, word } from './flags.ts'

/** `sluice dead-letters list | show | redrive | purge`. */
export function deadLettersCommand(): Command {
  const list = clientWord('list', 'What is in the dead-letter boxes, the oldest first.')
    .addOption(allNamespacesFlag())
    .addOption(triggerFlag())
    .addOption(brokerFlag())
    .addOption(new Option('--limit <n>', 'how many, 1 to 500').default(100).argParser(wholeNumber(1, 500)))
    .addOption(outputFlag())
    .action(async (options) => (await import('./dead-letters.ts')).listDeadLetters(options))
  const show = clientWord('show', 'One dead letter: its event with the data, and what went wrong.')
    .argument('<id>', 'as the list has it')
    .addOption(outputFlag())
    .action(async (id: string, options) => (await import('./dead-letters.ts')).showDeadLetter(id, options))
  const redrive = clientWord('redrive', 'Send dead letters to their triggers once more.')
    .argument('[ids...]', 'as the list has them')
    .addOption(triggerFlag())
    .action(async (ids: string[], options) => (await import('./dead-letters.ts')).redriveDeadLetters(ids, options))
  const purge = clientWord('purge', 'Remove dead letters for good.')
    .argument('[ids...]', 'as the list has them')
    .addOption(triggerFlag())
    .addOption(brokerFlag())
    .option('--all', 'all of the namespace; with -A, of every namespace')
    .addOption(allNamespacesFlag())
    .option('--yes', 'at a terminal: yes, for good')
    .action(async (ids: string[], options) => (await import('./dead-letters.ts')).purgeDeadLetters(ids, options))
  return word('dead-letters', 'Events that no subscriber took: look, send once more, remove.')
    .addCommand(list)
    .addCommand(show)
    .addCommand(redrive)
    .addCommand(purge)
}

/** `sluice pause TRIGGER`, `sluice pause subscription/NAME` */
export function pauseCommand(): Command {
  return clientWord(
    'pause',
    'Deliver nothing more to a Trigger or Subscription until sluice resume; what matches is kept.',
  )
    .addArgument(takerArgument())
    .action(async (words: string[], options) => (await import('./trigger-operations.ts')).pause(words, options))
}

/** As {@link pauseCommand}. */
export function resumeCommand(): Command {
  return clientWord('resume', 'The end of sluice pause.')
    .addArgument(takerArgument())
    .action(async (words: string[], options) => (await import('./trigger-operations.ts')).resume(words, options))
}

/** `sluice seek TRIGGER --to earliest|latest|TIME` */
export function seekCommand(): Command {
  return clientWord('seek', 'Set a Trigger or Subscription to an earlier or a later place among the stored events.')
    .addArgument(takerArgument())
    .requiredOption('--to <place>', 'earliest, latest, or an RFC 3339 time such as 2026-11-24T18:48:23Z')
    .action(async (words: string[], options) => (await import('./trigger-operations.ts')).seek(words, options))
}

/** `sluice prune` */
export function pruneCommand(): Command {
  return clientWord(
    'prune',
    'Remove at once what is kept for 24 h: data of removed Brokers, places of removed Triggers.',
  )
    .option('--yes', 'at a terminal: yes, for good')
    .action(async (options) => (await import('./trigger-operations.ts')).prune(options))
}

/** `sluice explain [TRIGGER] --event FILE|ID` */
export function explainCommand(): Command {
  return clientWord('explain', 'Why an event reaches a Trigger or does not, and what became of it.')
    .argument('[trigger]', 'NAME or NAMESPACE/NAME; without it, all Triggers of the Broker')
    .requiredOption('--event <event>', 'a file with the event as JSON (- = standard input), or the id of one that came')
    .addOption(new Option('--broker <name>', 'whose Triggers; default: default').conflicts('trigger'))
    .option('--source <source>', 'with an id: of which source')
    .addOption(outputFlag())
    .action(async (trigger: string | undefined, options) => (await import('./explain.ts')).explain(trigger, options))
}

/** `sluice try PATH --event FILE [--expect FILE]` */
export function tryCommand(): Command {
  return word('try', 'Offline: which Triggers of these files an event would reach, and by what request.')
    .argument('<paths...>', 'folders, read recursively, and files: .yaml, .yml, .json')
    .requiredOption('--event <file>', 'the event as JSON; - = standard input')
    .option('--broker <broker>', 'NAME or NAMESPACE/NAME; default: every Broker of the files')
    .option('--expect <file>', 'what is expected, as -o yaml prints it or less; exit 1 where it differs')
    .addOption(outputFlag())
    .action(async (paths: string[], options) => (await import('./try.ts')).tryEvent(paths, options))
}

/** `sluice tail [BROKER]` */
export function tailCommand(): Command {
  return clientWord('tail', 'Follow events and what becomes of them, as they come.')
    .argument('[broker]', 'NAME or NAMESPACE/NAME; without it, all Brokers of the namespace')
    .addOption(triggerFlag())
    .option('--filter <name=value>', 'only events with this attribute; may be repeated', collect)
    .option('--from <place>', 'what is stored first, from earliest, an RFC 3339 time, or after a position')
    .addOption(
      new Option('-o, --output <form>', 'text for people, json for programs').choices(['text', 'json']).default('text'),
    )
    .action(async (broker: string | undefined, options) => (await import('./tail.ts')).tail(broker, options))
}

function takerArgument(): Argument {
  return new Argument(
    '<trigger...>',
    'NAME, NAMESPACE/NAME or KIND/NAME, such as subscription/NAME; default: a Trigger',
  )
}

function triggerFlag(): Option {
  return new Option('--trigger <name>', 'of this Trigger alone')
}

function brokerFlag(): Option {
  return new Option('--broker <name>', 'of this Broker alone')
}
