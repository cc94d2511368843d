// The flags of `sluice up` and their environment variables (SURFACE "Commands"), and the README's table of them.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Command, Option } from 'commander'
import { sluiceCommand } from '../src/main.ts'

const README = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8')

function word(name: string): Command {
  return sluiceCommand(() => {}).commands.find((command) => command.name() === name)!
}

/** Why a command line is refused. Where it is not, `sluice up` would go on to its files. */
async function refusal(words: readonly string[], env: Record<string, string> = {}): Promise<string> {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
  try {
    await sluiceCommand(() => {}).parseAsync([...words], { from: 'user' })
  } catch (error) {
    return (error as Error).message
  }
  throw new Error(`${words.join(' ')} was taken`)
}

let said = ''
beforeEach(() => {
  said = ''
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    said += String(text)
    return true
  })
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
})

const FLAGS = word('up').options.map((option): [string, Option] => [option.long!, option])

test('sluice up has the flags of SURFACE, as far as this version does what they say', () => {
  expect(FLAGS.map(([flag]) => flag)).toEqual([
    '--listen',
    '--api',
    '--public-url',
    '--token-file',
    '--tls-cert-file',
    '--tls-key-file',
    '--api-tls-cert-file',
    '--api-tls-key-file',
    '--allow-anonymous',
    '--targets',
    '--no-watch',
    '--data',
    '--channel',
    '--source',
    '--max-event-bytes',
    '--max-connections',
    '--memory-bytes',
    '--hops',
    '--grace',
    '--log-level',
    '--log-format',
  ])
})

test.each(FLAGS)('%s has its environment variable', (flag, option) => {
  expect(option.envVar).toBe(`SLUICE_${flag.slice(2).toUpperCase().replaceAll('-', '_')}`)
})

describe('what is wrong with a flag is told with its name, and how to write it', () => {
  const GARBAGE: Record<string, [value: string, told: RegExp]> = {
    '--listen': ['nowhere', /HOST:PORT/],
    '--api': ['127.0.0.1:123456', /HOST:PORT/],
    '--public-url': ['events.example.com', /https:\/\/events/],
    '--token-file': ['', /path of a file/],
    '--tls-cert-file': ['', /path of a file/],
    '--tls-key-file': ['', /path of a file/],
    '--api-tls-cert-file': ['', /path of a file/],
    '--api-tls-key-file': ['', /path of a file/],
    '--targets': ['private', /any, public/],
    '--data': ['a\nsluice ready', /path of a folder/],
    '--channel': ['kafka', /log, memory/],
    '--source': ['', /path of a module/],
    '--max-event-bytes': ['1MB', /512Ki/],
    '--max-connections': ['0', /1 to 1000000/],
    '--memory-bytes': ['0', /512Ki/],
    '--hops': ['256', /1 to 255/],
    '--grace': ['-1', /0 to 3600/],
    '--log-level': ['loud', /trace, debug/],
    '--log-format': ['xml', /text, json/],
  }

  test.each(Object.entries(GARBAGE))('%s %j', async (flag, [value, told]) => {
    expect(await refusal(['up', `${flag}=${value}`])).toMatch(told)
    expect(said).toContain(flag)
  })

  test.each(Object.entries(GARBAGE))('%s %j, in the environment', async (flag, [value, told]) => {
    const name = `SLUICE_${flag.slice(2).toUpperCase().replaceAll('-', '_')}`
    expect(await refusal(['up'], { [name]: value })).toMatch(told)
    expect(said).toContain(name)
  })

  test('every flag with a value is among them', () => {
    const withValue = FLAGS.filter(([, option]) => option.required).map(([flag]) => flag)
    expect(Object.keys(GARBAGE).toSorted()).toEqual(withValue.toSorted())
  })

  test.each([
    ['https://user:secret@events.example.com'],
    ['https://events.example.com/?x=1'],
    ['ftp://events.example.com'],
  ])('--public-url %s', async (url) => {
    expect(await refusal(['up', '--public-url', url])).toMatch(/https:\/\/events/)
  })
})

test.each([
  ['true', false],
  ['false', true],
])('SLUICE_NO_WATCH=%s is what --no-watch says', async (value, watches) => {
  const up = vi.spyOn(await import('../src/up.ts'), 'up')
  up.mockRejectedValue(new Error('far enough'))
  expect(await refusal(['up'], { SLUICE_NO_WATCH: value })).toBe('far enough')
  expect(up.mock.calls[0]![1].watch).toBe(watches)
})

describe('SLUICE_ALLOW_ANONYMOUS opens nothing by accident', () => {
  /** There are no such files, so that it ends there where the address is allowed. */
  const open = (value: string): Promise<string> => {
    vi.spyOn(process, 'exit').mockImplementation((code) => {
      throw new Error(`exit ${String(code)}`)
    })
    return refusal(['up', '--api', '0.0.0.0:0', join(import.meta.dirname, 'nowhere')], {
      SLUICE_ALLOW_ANONYMOUS: value,
    })
  }

  test.each(['yes please', 'TRUE', 'off'])('%j is a usage error', async (value) => {
    expect(await open(value)).toMatch(/SLUICE_ALLOW_ANONYMOUS.*Write true or false/)
  })

  test.each(['false', '0', ''])('%j is no', async (value) => {
    expect(await open(value)).toBe('exit 2')
    expect(said).toContain('add --allow-anonymous')
  })

  test.each(['true', '1'])('%j is yes', async (value) => {
    expect(await open(value)).toBe('exit 1')
    expect(said).toContain('no such file')
  })
})

test.each(['up', 'validate', 'send', 'version'])(
  'sluice %s --help is of lines that fit a terminal, and says what each flag is for',
  (name) => {
    const command = word(name)
    for (const option of command.options) expect(option.description.length).toBeGreaterThan(5)
    command.configureOutput({ getOutHelpWidth: () => 80 })
    for (const line of command.helpInformation().split('\n')) expect(line.length).toBeLessThanOrEqual(80)
  },
)

test('the README’s table of flags is that of the program', () => {
  const rows = FLAGS.map(([, option]) => {
    const choices = option.argChoices === undefined ? '' : ` (${option.argChoices.join(', ')})`
    const byDefault = option.defaultValueDescription ?? String(option.defaultValue ?? '')
    return `| \`${option.flags}\` | ${byDefault} | ${option.description}${choices} |`
  })
  for (const row of rows) expect(README).toContain(row)
})
