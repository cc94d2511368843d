// The `sluice` command: which words there are. Each one's work is loaded only when it is called.

import { Argument, Command, CommanderError, Option } from 'commander'
import { parseBytes } from '@sluice/resource/quantity'
import { parseAddress } from '@sluice/server/address'
import type { Shell } from './completion.ts'
import { errorLine, EXIT, exitWith } from './exit.ts'
import {
  checked,
  collect,
  collectModules,
  clientWord,
  flag,
  parseBaseUrl,
  parseDirectory,
  parsePath,
  wholeNumber,
  word,
} from './flags.ts'
import { applyCommand, deleteCommand, describeCommand, diffCommand, getCommand } from './resource-words.ts'
import {
  deadLettersCommand,
  explainCommand,
  pauseCommand,
  pruneCommand,
  resumeCommand,
  seekCommand,
  tailCommand,
  tryCommand,
} from './operation-words.ts'
import { VERSION } from './version.ts'
import { webhookCommand } from './webhook-words.ts'

/** Where a running Sluice answers. */
export interface Addresses {
  readonly ingress: string
  readonly api: string
}

/** Which words there are. `ready` is called once `sluice up` is. */
export function sluiceCommand(ready: (at: Addresses) => void): Command {
  return new Command('sluice')
    .version(`sluice ${VERSION}`, '-V, --version')
    .description('An eventing broker over CloudEvents: Knative brokers and triggers from plain YAML, in one process.')
    .exitOverride()
    .showHelpAfterError('(sluice --help, or sluice COMMAND --help, lists what there is)')
    .addHelpText('after', EXAMPLES)
    .addCommand(upCommand(ready))
    .addCommand(validateCommand())
    .addCommand(getCommand())
    .addCommand(describeCommand())
    .addCommand(applyCommand())
    .addCommand(diffCommand())
    .addCommand(deleteCommand())
    .addCommand(sendCommand())
    .addCommand(deadLettersCommand())
    .addCommand(pauseCommand())
    .addCommand(resumeCommand())
    .addCommand(seekCommand())
    .addCommand(pruneCommand())
    .addCommand(explainCommand())
    .addCommand(tryCommand())
    .addCommand(tailCommand())
    .addCommand(webhookCommand())
    .addCommand(logCommand())
    .addCommand(completionCommand())
    .addCommand(
      word('version', 'Print the version.').action(
        () => void process.stdout.write(`sluice ${VERSION} (node ${process.versions.node})\n`),
      ),
    )
}

const EXAMPLES = `
Examples:
  sluice validate shop/            what is wrong with these files, with file, line and column
  sluice up shop/                  run them; Ctrl-C stops
  sluice get triggers              which there are, and whether they are ready
  sluice describe trigger orders   all about one: where it sends, what waits, what went wrong
  sluice send --type order.created --data '{"order": 1}'
                                   send an event to Broker default/default
  sluice dead-letters list         what no subscriber took; show, redrive and purge follow
  sluice explain billing --event order.json
                                   why Trigger billing gets this event, or does not
  sluice log check .sluice         what a data directory holds, and what of it is damaged

Exit codes: 0 ok, 1 refused or failed, 2 wrong command line, 3 no server answers.`

function upCommand(ready: (at: Addresses) => void): Command {
  return word('up', 'Run the Brokers and Triggers of these files until Ctrl-C.')
    .configureOutput({ writeErr: (text) => process.stderr.write(isLogForMachines() ? errorLine(text.trim()) : text) })
    .addArgument(
      new Argument('[paths...]', 'folders, read recursively, and files: .yaml, .yml, .json').default(
        ['.'],
        'this folder',
      ),
    )
    .addOption(
      flag('--listen <address>', 'HOST:PORT where events come in; port 0 = a free one')
        .default(parseAddress('127.0.0.1:8080'), '127.0.0.1:8080')
        .argParser(checked(parseAddress)),
    )
    .addOption(
      flag('--api <address>', 'HOST:PORT of health, metrics and the API')
        .default(parseAddress('127.0.0.1:8081'), '127.0.0.1:8081')
        .argParser(checked(parseAddress)),
    )
    .addOption(
      flag('--public-url <url>', 'how others reach the ingress; default: its address').argParser(checked(parseBaseUrl)),
    )
    .addOption(
      flag('--token-file <file>', 'tokens of the API, one a line; without one of them it answers 401').argParser(
        checked(parsePath),
      ),
    )
    .addOption(certificateFlag('--tls-cert-file <file>', 'certificate of the ingress with its chain, in PEM: https'))
    .addOption(certificateFlag('--tls-key-file <file>', 'its key, in PEM'))
    .addOption(certificateFlag('--api-tls-cert-file <file>', 'certificate of the API with its chain, in PEM: https'))
    .addOption(certificateFlag('--api-tls-key-file <file>', 'its key, in PEM'))
    .addOption(flag('--allow-anonymous', 'let other machines send and change things without a token'))
    .addOption(
      flag('--targets <which>', 'where events may be sent: any but link-local and metadata addresses, or public only')
        .choices(['any', 'public'])
        .default('any', 'any'),
    )
    .addOption(flag('--no-watch', 'apply files that change on SIGHUP only'))
    .addOption(
      flag('--data <dir>', 'folder of what outlives the process; one process at a time')
        .default('.sluice', '.sluice')
        .argParser(checked(parseDirectory)),
    )
    .addOption(
      flag('--channel <kind>', 'channel of a Broker that names none: on disk, or gone with the process')
        .choices(['log', 'memory'])
        .default('log', 'log'),
    )
    .addOption(sourceFlag())
    .addOption(
      flag('--max-event-bytes <size>', 'largest event')
        .default(1024 * 1024, '1Mi')
        .argParser(checked(parseBytes)),
    )
    .addOption(
      flag('--max-connections <n>', 'connections at once to each listener, half of them of one address')
        .default(10_000)
        .argParser(wholeNumber(1, 1_000_000)),
    )
    .addOption(
      flag('--memory-bytes <size>', 'what an in-memory channel holds at most; beyond, 429')
        .default(256 * 1024 * 1024, '256Mi')
        .argParser(checked(parseBytes)),
    )
    .addOption(
      flag('--hops <n>', 'Brokers that an event may pass through before it counts as a loop, 1 to 255')
        .default(255)
        .argParser(wholeNumber(1, 255)),
    )
    .addOption(
      flag('--grace <seconds>', 'how long what is under way may take to finish at the end, 0 to 3600')
        .default(10)
        .argParser(wholeNumber(0, 3600)),
    )
    .addOption(
      flag('--log-level <level>', 'least important lines of the log')
        .choices(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
        .default('info', 'info'),
    )
    .addOption(
      flag('--log-format <form>', 'text for people, json for machines')
        .choices(['text', 'json'])
        .default('text', 'text'),
    )
    .action(async (paths: string[], options, command: Command) => {
      readSwitches(command)
      const { up } = await import('./up.ts')
      ready(await up(paths, command.opts()))
    })
}

function validateCommand(): Command {
  return word('validate', 'Check files without running them: every mistake, with its place.')
    .argument('[paths...]', 'folders, read recursively, and files: .yaml, .yml, .json')
    .option(
      '--schema <kind>',
      'print the JSON Schema of a kind instead, such as Trigger; all: one for files of any kind',
    )
    .addOption(sourceFlag())
    .action(async (paths: string[], options: { schema?: string; source?: string[] }) => {
      const { validate } = await import('./validate.ts')
      await validate(paths, options)
    })
}

/** Of the words that read files. */
function sourceFlag(): Option {
  return flag('--source <module>', 'a source of your own: the path of its module; may be repeated').argParser(
    collectModules,
  )
}

function sendCommand(): Command {
  return clientWord('send', 'Send one event to a Broker.')
    .addArgument(new Argument('[broker]', 'NAME, NAMESPACE/NAME, or a whole URL').default('default', 'default'))
    .addOption(ingressTokenFlag())
    .option('--type <type>', 'what happened, such as com.example.order.created; needed without --event')
    .addOption(new Option('--source <source>', 'where it happened').default('/sluice/cli', '/sluice/cli'))
    .option('--id <id>', 'default: a new UUID')
    .option('--subject <subject>', 'what it is about')
    .option('--ext <name=value>', 'an extension attribute; may be repeated', collect)
    .option('--data <data>', 'JSON or text, @FILE for what is in a file, @- for standard input')
    .option('--content-type <type>', 'default: application/json where the data is JSON, else text/plain')
    .addOption(
      new Option('--mode <mode>', 'how the event is written')
        .choices(['binary', 'structured'])
        .default('binary', 'binary'),
    )
    .addOption(
      new Option(
        '--event <file>',
        'send the JSON of a file, an event or a list of them, as it is; - = standard input',
      ).conflicts(['type', 'id', 'subject', 'ext', 'data', 'contentType']),
    )
    .action(async (broker: string, options) => {
      const { send } = await import('./send.ts')
      await send(broker, options)
    })
}

function certificateFlag(flags: string, description: string): Option {
  return flag(flags, description).argParser(checked(parsePath))
}

function ingressTokenFlag(): Option {
  return flag(
    '--ingress-token-file <file>',
    'file with the token of the Broker; or the token in SLUICE_INGRESS_TOKEN',
  ).argParser(checked(parsePath))
}

function logCommand(): Command {
  const check = word('check', 'Read a data directory, or a part of it, offline: what is there, and what is damaged.')
    .showHelpAfterError('(sluice log check --help lists what there is)')
    .argument('<dir>', 'a data directory, the folder of a Broker in it, or that of one of its stores')
    .action(async (folder: string) => {
      const { logCheck } = await import('./log-check.ts')
      await logCheck(folder)
    })
  return word('log', 'Look after what Brokers keep on disk.').addCommand(check)
}

function completionCommand(): Command {
  return word('completion', 'Print a script that completes words and flags in a shell.')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .addHelpText('after', '\nbash, zsh: source <(sluice completion bash)\nfish: sluice completion fish | source')
    .action(async (shell: Shell, _options, command: Command) => {
      const { completion } = await import('./completion.ts')
      process.stdout.write(completion(shell, command.parent!))
    })
}

/** Asked while the command line may be wrong, so that it isn't read yet. */
function isLogForMachines(): boolean {
  const words = process.argv
  const given = words[words.lastIndexOf('--log-format') + 1]
  const joined = words.findLast((each) => each.startsWith('--log-format='))?.slice('--log-format='.length)
  return (joined ?? (words.includes('--log-format') ? given : process.env['SLUICE_LOG_FORMAT'])) === 'json'
}

/** commander takes a flag without a value as given when its variable is there at all, and were it `false`. */
function readSwitches(command: Command): void {
  for (const option of command.options) {
    const name = option.attributeName()
    if (!(option.isBoolean() || option.negate) || command.getOptionValueSource(name) !== 'env') continue
    const value = process.env[option.envVar ?? ''] ?? ''
    if (!['true', 'false', '1', '0', ''].includes(value)) {
      command.error(
        `error: option '${option.flags}' value '${value}' from env '${option.envVar}' is invalid. Write true or false.`,
      )
    }
    command.setOptionValue(name, (value === 'true' || value === '1') !== option.negate)
  }
}

/**
 * Runs one command line, without `node` and the program's name. Ends the process where the command line is wrong.
 *
 * @param ready called once `sluice up` is, with the addresses of its listeners
 */
export async function main(words: readonly string[], ready: (at: Addresses) => void = () => {}): Promise<void> {
  try {
    await sluiceCommand(ready).parseAsync(words, { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) exitWith(error.exitCode === 0 ? EXIT.ok : EXIT.usage)
    throw error
  }
}
