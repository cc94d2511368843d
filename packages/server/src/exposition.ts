// Prometheus' text form (version 0.0.4) of metrics. Not a registry: whoever counts keeps the numbers and writes them
// here when somebody asks.

/** A metric: all its samples stand together, under its help. */
export interface Family {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
}

/** The media type of {@link exposition}'s text. */
export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** Collects samples of families in any order; `text` has each family once, in the order in which they were named. */
export interface Exposition {
  /** `labels`: of {@link labelText}. `suffix`: of the name, as histograms have it. */
  sample(family: Family, labels: string, value: number, suffix?: string): void
  text(): string
}

/** An empty one. `families` stand in the text even without samples, so that readers see what there is. */
export function exposition(families: readonly Family[]): Exposition {
  const lines = new Map(
    families.map((family) => [
      family,
      ['# HELP ', family.name, ' ', family.help, '\n# TYPE ', family.name, ' ', family.type, '\n'],
    ]),
  )
  return {
    sample(family, labels, value, suffix = '') {
      lines.get(family)?.push(`${family.name}${suffix}${labels} ${value}\n`)
    },
    text: () => Array.from(lines.values(), (each) => each.join('')).join(''),
  }
}

/** `{name="value",...}`, escaped; empty without labels. */
export function labelText(labels: Readonly<Record<string, string | number>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(String(value))}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escapeLabel(value: string): string {
  return /[\\"\n]/.test(value) ? value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n') : value
}
