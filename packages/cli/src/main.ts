// The `sluice` command: which words there are. Each one's work is loaded only when it is called.

import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { parseAddress } from '@sluice/server/address'
import { EXIT, exitWith } from './exit.ts'
import { parseBytes } from './bytes.ts'
import { VERSION } from './version.ts'

/** A flag that is also an environment variable: `SLUICE_` + its name in capitals, `-` as `_` (SURFACE.md). */
function flag(flags: string, description: string): Option {
  const option = new Option(flags, description)
  return option.env(`SLUICE_${option.name().toUpperCase().replaceAll('-', '_')}`)
}

/** Where a running Sluice answers. */
export interface Addresses {
  readonly ingress: string
  readonly api: string
}

/** Which words there are. `ready` is called once `sluice up` is. */
function sluiceCommand(ready: (at: Addresses) => void): Command {
  const program = new Command('sluice')
    .description('An eventing broker over CloudEvents: Knative brokers and triggers from plain YAML, in one process.')
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(sluice --help, or sluice COMMAND --help, lists what there is)')

  program
    .command('up')
    .description('run the brokers and triggers of these files')
    .argument('[paths...]', 'folders (read recursively) and files: .yaml, .yml, .json', ['.'])
    .addOption(
      flag('--listen <address>', 'where events come in')
        .default(parseAddress('127.0.0.1:8080'), '127.0.0.1:8080')
        .argParser(checked(parseAddress)),
    )
    .addOption(
      flag('--api <address>', 'where health, metrics and the API answer')
        .default(parseAddress('127.0.0.1:8081'), '127.0.0.1:8081')
        .argParser(checked(parseAddress)),
    )
    .addOption(flag('--data <dir>', 'data directory').default('.sluice'))
    .addOption(flag('--channel <kind>', 'channel of a broker that names none').choices(['memory']).default('memory'))
    .addOption(flag('--public-url <url>', 'address of the ingress as others see it'))
    .addOption(flag('--allow-anonymous', 'let anybody who reaches a public ingress send events'))
    .addOption(
      flag('--targets <which>', 'addresses that events may be sent to').choices(['any', 'public']).default('any'),
    )
    .addOption(
      flag('--max-event-bytes <size>', 'largest event')
        .default(1024 * 1024, '1Mi')
        .argParser(checked(parseBytes)),
    )
    .addOption(
      flag('--memory-bytes <size>', 'most bytes that an in-memory channel holds')
        .default(256 * 1024 * 1024, '256Mi')
        .argParser(checked(parseBytes)),
    )
    .addOption(
      flag('--hops <n>', 'hops through brokers after which an event counts as a loop')
        .default(255)
        .argParser(wholeNumber(1, 255)),
    )
    .addOption(
      flag('--grace <seconds>', 'time to finish what is under way at the end')
        .default(10)
        .argParser(wholeNumber(0, 3600)),
    )
    .addOption(
      flag('--log-level <level>', 'least important lines to log')
        .choices(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
        .default('info'),
    )
    .addOption(flag('--log-format <form>', 'form of the log').choices(['text', 'json']).default('text'))
    .action(async (paths: string[], options) => {
      const { up } = await import('./up.ts')
      ready(await up(paths, options))
    })

  program
    .command('validate')
    .description('check files without running them')
    .argument('[paths...]', 'folders and files')
    .option('--schema <kind>', 'print the JSON Schema of a kind instead')
    .action(async (paths: string[], options: { schema?: string }) => {
      const { validate } = await import('./validate.ts')
      await validate(paths, options)
    })

  program
    .command('send')
    .description('send one event to a broker')
    .argument('[broker]', 'name, namespace/name, or a whole URL', 'default')
    .option('--type <type>', 'what happened, such as com.example.order.created')
    .option('--source <source>', 'where it happened', '/sluice/cli')
    .option('--id <id>', 'default: a new UUID')
    .option('--subject <subject>', 'what it is about')
    .option('--ext <name=value>', 'an extension attribute; may be repeated', collect, [])
    .option('--data <json>', 'data: JSON, text, or @FILE')
    .option('--content-type <type>', 'default: application/json where the data is JSON, else text/plain')
    .addOption(new Option('--mode <mode>', 'content mode').choices(['binary', 'structured']).default('binary'))
    .option('--event <file>', 'send the events of a JSON file (an event, or a list) as they are; - is standard input')
    .addOption(flag('--server <url>', 'API address of the running sluice').default('http://127.0.0.1:8081'))
    .option('-n, --namespace <namespace>', 'namespace of the broker', 'default')
    .action(async (broker: string, options) => {
      const { send } = await import('./send.ts')
      await send(broker, options)
    })

  program
    .command('version')
    .description('print the version')
    .action(() => void process.stdout.write(`sluice ${VERSION} (node ${process.versions.node})\n`))

  return program
}

function checked<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text)
    } catch (error) {
      throw new InvalidArgumentError((error as Error).message)
    }
  }
}

function wholeNumber(min: number, max: number): (text: string) => number {
  return checked((text) => {
    const value = Number(text)
    if (!Number.isInteger(value) || value < min || value > max)
      throw new Error(`It has to be a whole number from ${min} to ${max}.`)
    return value
  })
}

function collect(value: string, before: string[]): string[] {
  return [...before, value]
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
