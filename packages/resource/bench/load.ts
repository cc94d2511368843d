// G10: loading 10,000 triggers costs what parsing their YAML costs. Prints both times and their ratio, target 1.3.
// Each is the median of five rounds in one process, after one of each that isn't counted.
//
//     node packages/resource/bench/load.ts [TRIGGERS]

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { loadFiles } from '../src/index.ts'

const ROUNDS = 5
const RATIO_MAX = 1.3
const triggers = Number(process.argv[2] ?? 10_000)
const folder = await mkdtemp(join(tmpdir(), 'sluice-load-'))
const file = join(folder, 'triggers.yaml')

try {
  await writeFile(file, yamlOf(triggers))
  const parseMs: number[] = []
  const loadMs: number[] = []
  for (let round = 0; round <= ROUNDS; round++) {
    parseMs.push(await timed(parse))
    loadMs.push(await timed(load))
  }
  const [parsed, loaded] = [median(parseMs.slice(1)), median(loadMs.slice(1))]
  // Of neighbours in time, so that what else the machine does weighs on both alike.
  const ratio = median(loadMs.slice(1).map((ms, round) => ms / parseMs[round + 1]!))
  process.stdout.write(
    `${triggers} triggers: parseAllDocuments + toJS ${parsed.toFixed(0)} ms, loadFiles ${loaded.toFixed(0)} ms, ` +
      `ratio ${ratio.toFixed(2)} (target ${RATIO_MAX}); first round ${parseMs[0]!.toFixed(0)} and ${loadMs[0]!.toFixed(0)} ms\n`,
  )
} finally {
  await rm(folder, { recursive: true })
}

async function parse(): Promise<number> {
  const text = await readFile(file, 'utf8')
  return parseAllDocuments(text).map((document) => document.toJS() as unknown).length
}

async function load(): Promise<number> {
  const { resources, problems } = await loadFiles([file])
  if (problems.length > 0) throw new Error(`${problems.length} problems, such as: ${problems[0]!.message}`)
  return resources.length
}

async function timed(work: () => Promise<number>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!
}

/** A Broker, and triggers as people write them: a filter, a URL, a delivery. */
function yamlOf(count: number): string {
  const broker = 'apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata:\n  name: default\n'
  return [broker, ...Array.from({ length: count }, (_, index) => triggerOf(index))].join('---\n')
}

function triggerOf(index: number): string {
  return `apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata:
  name: trigger-${index}
  labels:
    team: team-${index % 7}
spec:
  broker: default
  filter:
    attributes:
      type: com.example.order.${index % 100}
  subscriber:
    uri: http://127.0.0.1:9000/${index}
  delivery:
    retry: 3
    backoffPolicy: exponential
    backoffDelay: PT0.5S
`
}
