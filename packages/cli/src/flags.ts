// What the words of the command have in common: flags that are environment variables too, values that are checked, and
// the flags of every word that asks a running sluice.

import { Command, InvalidArgumentError, Option } from 'commander'
import { OUTPUTS } from './outputs.ts'

/** A word of the command, whose help says what there is. */
export function word(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .exitOverride()
    .showHelpAfterError(`(sluice ${name} --help lists what there is)`)
}

/** A flag that is also an environment variable: `SLUICE_` + its name in capitals, `-` as `_` (SURFACE.md). */
export function flag(flags: string, description: string): Option {
  const option = new Option(flags, description)
  return option.env(`SLUICE_${option.name().toUpperCase().replaceAll('-', '_')}`)
}

/** Flags of a word that asks a running sluice. Its action gets them as {@link ClientFlags}. */
export function clientWord(name: string, description: string): Command {
  return word(name, description)
    .addOption(serverFlag())
    .addOption(
      flag('--token-file <file>', 'file with the token of the API; or the token in SLUICE_TOKEN').argParser(
        checked(parsePath),
      ),
    )
    .addOption(caFileFlag())
    .addOption(new Option('-n, --namespace <namespace>', 'namespace').default('default', 'default'))
}

/** Of what a server is shown, and what is asked of it. */
export interface AccessFlags {
  tokenFile?: string
  caFile?: string
}

function caFileFlag(): Option {
  return flag('--ca-file <file>', "certificates that the server's has to be signed by, in PEM").argParser(
    checked(parsePath),
  )
}

/** What {@link clientWord} gives to an action. */
export interface ClientFlags extends AccessFlags {
  server: string
  namespace: string
}

/** `--server`, without a slash at its end. */
export function serverFlag(): Option {
  return flag('--server <url>', 'API address of the running sluice')
    .default('http://127.0.0.1:8081', 'http://127.0.0.1:8081')
    .argParser(checked((text) => parseBaseUrl(text).replace(/\/+$/, '')))
}

/** `-A`: of a word that lists. */
export function allNamespacesFlag(): Option {
  return new Option('-A, --all-namespaces', 'of all namespaces')
}

/** `-o`: how an answer is printed. */
export function outputFlag(): Option {
  return new Option('-o, --output <form>', 'how it is printed').choices(OUTPUTS).default('table', 'table')
}

export function checked<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text)
    } catch (error) {
      throw new InvalidArgumentError((error as Error).message)
    }
  }
}

export function wholeNumber(min: number, max: number): (text: string) => number {
  return checked((text) => {
    const value = Number(text)
    if (!Number.isInteger(value) || value < min || value > max)
      throw new Error(`It has to be a whole number from ${min} to ${max}.`)
    return value
  })
}

export function parseBaseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isBase = url !== undefined && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === ''
  if (!isBase || url.username !== '' || url.password !== '') {
    throw new Error('It has to be an address such as https://events.example.com, without user, query or fragment.')
  }
  return text
}

export function parseDirectory(text: string): string {
  // oxlint-disable-next-line no-control-regex
  if (text === '' || /[\u0000-\u001f\u007f]/.test(text)) throw new Error('It has to be the path of a folder.')
  return text
}

/** Of a file. */
export function parsePath(text: string): string {
  if (text === '') throw new Error('It has to be the path of a file.')
  return text
}

export function collect(value: string, before: string[] = []): string[] {
  return [...before, value]
}

/** As {@link collect}, of paths. */
export function collectModules(value: string, before: string[] = []): string[] {
  if (value === '') throw new InvalidArgumentError('It has to be the path of a module.')
  return collect(value, before)
}
