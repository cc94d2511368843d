// Names of tests, for whoever checks that there is one for each requirement.

import { readFileSync } from 'node:fs'

/** What stands in quotes in a test file, comments left out: the names of its tests are among it. */
export function testNamesIn(path: string): string[] {
  const code = readFileSync(path, 'utf8').replaceAll(/^\s*(\/\/|\/?\*).*$/gm, '')
  return Array.from(code.matchAll(/(['"`])((?:\\.|(?!\1)[^\\\n])*)\1/g), ([, , text]) => text!)
}
