// `sluice completion SHELL`: a script that completes words, flags and the values that flags may have, made from the words
// of the command themselves, so that it can't miss one.

import type { Command, Option } from 'commander'
import { kinds } from '@sluice/resource'

export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

/** The script. bash: `source <(sluice completion bash)`. zsh: the same. fish: `sluice completion fish | source`. */
export function completion(shell: Shell, root: Command): string {
  if (shell === 'fish') return fishScript(root)
  return shell === 'zsh' ? `autoload -U +X bashcompinit && bashcompinit\n${bashScript(root)}` : bashScript(root)
}

/** Words whose first argument is a kind. */
const OF_KINDS: ReadonlySet<string> = new Set(['get', 'describe', 'delete'])

function kindNames(): string[] {
  return kinds.filter(({ run }) => run).flatMap(({ plural, shortNames }) => [plural, ...shortNames])
}

/** A word, and those before it: `dead-letters list`. */
interface Word {
  readonly path: readonly string[]
  readonly command: Command
}

function wordsOf(command: Command, path: readonly string[] = []): Word[] {
  return command.commands.flatMap((each) => {
    const own = [...path, each.name()]
    return [{ path: own, command: each }, ...wordsOf(each, own)]
  })
}

function flagsOf(option: Option): string[] {
  return [option.short, option.long].filter((flag) => flag !== undefined)
}

// --- bash ---

function bashScript(root: Command): string {
  const words = wordsOf(root)
  const values = words.flatMap(({ command }) => command.options.filter(({ argChoices }) => argChoices !== undefined))
  const byFlag = new Map(values.map((option) => [flagsOf(option).join('|'), option.argChoices!]))
  return `# sluice: completion for bash. source <(sluice completion bash)
_sluice() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" candidates=""
  case "$prev" in
${[...byFlag].map(([flags, choices]) => `    ${flags}) COMPREPLY=($(compgen -W "${choices.join(' ')}" -- "$cur")); return ;;`).join('\n')}
  esac
  case "\${COMP_WORDS[*]:1:COMP_CWORD-1} " in
${words
  .toSorted((a, b) => b.path.length - a.path.length)
  .map(({ path, command }) => `    "${path.join(' ')} "*) candidates="${candidatesOf(command)}" ;;`)
  .join('\n')}
    *) candidates="${root.commands.map((each) => each.name()).join(' ')} --help --version" ;;
  esac
  COMPREPLY=($(compgen -W "$candidates" -- "$cur"))
}
complete -o default -F _sluice sluice
`
}

function candidatesOf(command: Command): string {
  const below = command.commands.map((each) => each.name())
  const flags = [...command.options.flatMap(flagsOf), '--help']
  return [...below, ...(OF_KINDS.has(command.name()) ? kindNames() : []), ...flags].join(' ')
}

// --- fish ---

function fishScript(root: Command): string {
  const lines = ['# sluice: completion for fish. sluice completion fish | source']
  for (const each of root.commands)
    lines.push(fishLine('__fish_use_subcommand', `-f -a ${each.name()}`, each.description()))
  for (const { path, command } of wordsOf(root)) {
    const seen = path.map((name) => `__fish_seen_subcommand_from ${name}`).join('; and ')
    for (const below of command.commands) lines.push(fishLine(seen, `-f -a ${below.name()}`, below.description()))
    if (OF_KINDS.has(command.name())) lines.push(fishLine(seen, `-f -a '${kindNames().join(' ')}'`, 'kind'))
    for (const option of command.options) lines.push(fishLine(seen, fishOption(option), option.description))
  }
  return `${lines.join('\n')}\n`
}

function fishLine(condition: string, what: string, description: string): string {
  return `complete -c sluice -n '${condition}' ${what} -d '${description.replaceAll("'", "\\'")}'`
}

function fishOption({ short, long, argChoices, required, optional }: Option): string {
  const names = [short && `-s ${short.slice(1)}`, long && `-l ${long.slice(2)}`].filter(Boolean).join(' ')
  if (argChoices !== undefined) return `${names} -x -a '${argChoices.join(' ')}'`
  return required || optional ? `${names} -r` : names
}
