// The completion scripts: bash runs its own.

import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { completion } from '../src/completion.ts'
import { sluiceCommand } from '../src/main.ts'

const ROOT = sluiceCommand(() => {})

/** What bash offers where the cursor stands at the end of these words. */
function offered(...words: string[]): string[] {
  const script = `${completion('bash', ROOT)}
COMP_WORDS=(sluice ${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}; _sluice; printf '%s\\n' "\${COMPREPLY[@]}"`
  return execFileSync('bash', ['-c', script], { encoding: 'utf8' }).split('\n').filter(Boolean)
}

test('bash completes words, words below them, flags, their values, and kinds', () => {
  expect(offered('de')).toEqual(['describe', 'delete', 'dead-letters'])
  expect(offered('dead-letters', 'r')).toEqual(['redrive'])
  expect(offered('dead-letters', 'list', '--tr')).toEqual(['--trigger'])
  expect(offered('get', 'trig')).toEqual(['triggers'])
  expect(offered('get', 'im')).toEqual(['imc'])
  expect(offered('get', 'triggers', '-o', 'j')).toEqual(['json'])
  expect(offered('up', '--chan')).toEqual(['--channel'])
  expect(offered('up', '--channel', '')).toEqual(['log', 'memory'])
})

test('every word and every flag is in each script', () => {
  for (const shell of ['bash', 'zsh', 'fish'] as const) {
    const script = completion(shell, ROOT)
    for (const command of ROOT.commands) {
      expect(script).toContain(command.name())
      for (const { long } of command.options)
        expect(script).toContain(shell === 'fish' ? `-l ${long!.slice(2)}` : long!)
    }
  }
})
