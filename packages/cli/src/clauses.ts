// The clauses of a filter, each with its verdict, as people read them.

/** A clause, as `explain` of @sluice/filter has it. */
export interface ClauseJson {
  readonly asks: string
  readonly passes: boolean
  readonly found?: string
  readonly error?: string
  readonly of: readonly ClauseJson[]
}

/** A line for each, its parts below it. */
export function clauseLines({ asks, passes, found, error, of }: ClauseJson, depth: number): string[] {
  const what = error === undefined ? found : `error: ${error}`
  const line = `${'  '.repeat(depth)}${passes ? 'yes' : 'no '}  ${asks}${what === undefined ? '' : `   (${what})`}`
  return [line, ...of.flatMap((each) => clauseLines(each, depth + 1))]
}
