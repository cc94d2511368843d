// A table of resources, as kubectl prints it: the server says what its columns are and what stands in them.

import { AGE, type Column, type Kind, type Resource } from '@sluice/resource'
import { present, presentPartial } from './present.ts'

/** What each row carries beside its cells. */
export type IncludedObject = 'None' | 'Metadata' | 'Object'

/** The columns: the name, then those of the kind in this version. */
export function columnDefinitions(kind: Kind, version: string): object[] {
  const name = { name: 'Name', type: 'string', format: 'name', description: 'Its name.', priority: 0 }
  return [name, ...columnsOf(kind, version).map(definitionOf)]
}

function columnsOf({ columns = [AGE], forms }: Kind, version: string): readonly Column[] {
  return forms?.[version]?.columns ?? columns
}

function definitionOf({ name, type, description, wide }: Column): object {
  return { name, type: type === 'integer' ? type : 'string', format: '', description, priority: wide === true ? 1 : 0 }
}

/** What a row is made for. */
export interface RowOptions {
  readonly kind: Kind
  readonly version: string
  readonly include: IncludedObject
  /** Wall-clock ms. */
  readonly nowMs: number
}

/** The row of one resource. */
export function rowOf(resource: Resource, { kind, version, include, nowMs }: RowOptions): object {
  const cells = columnsOf(kind, version).map((column) => cellOf(column, resource, nowMs))
  const row = { cells: [resource.metadata.name, ...cells] }
  if (include === 'None') return row
  return { ...row, object: include === 'Object' ? present(resource, kind, version) : presentPartial(resource, kind) }
}

function cellOf({ type, value }: Column, resource: Resource, nowMs: number): unknown {
  const cell = value(resource)
  if (type === 'date') return typeof cell === 'string' && cell !== '' ? ageOf(nowMs - Date.parse(cell)) : '<unknown>'
  if (type === 'integer') return typeof cell === 'number' ? cell : 0
  return cell === undefined || cell === null ? '' : typeof cell === 'string' ? cell : JSON.stringify(cell)
}

/** How long that is, as Kubernetes shortens it: 90s, 3m20s, 45m, 5h12m, 3d4h, 12d, 2y30d. */
export function ageOf(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const minutes = Math.floor(seconds / 60)
  const hours = Math.floor(minutes / 60)
  const days = Math.floor(hours / 24)
  const years = Math.floor(days / 365)
  if (seconds < 120) return `${seconds}s`
  if (minutes < 10) return two(minutes, 'm', seconds % 60, 's')
  if (minutes < 180) return `${minutes}m`
  if (hours < 8) return two(hours, 'h', minutes % 60, 'm')
  if (hours < 48) return `${hours}h`
  if (days < 8) return two(days, 'd', hours % 24, 'h')
  if (days < 730) return `${days}d`
  return years < 8 ? two(years, 'y', days % 365, 'd') : `${years}y`
}

function two(large: number, unit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${unit}` : `${large}${unit}${small}${smallUnit}`
}

/** A whole table, or one row of a watch; `columns` only where they are new to who reads it. */
export function tableOf(rows: readonly object[], metadata: object, columns: readonly object[] | undefined): object {
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    ...(columns !== undefined && { columnDefinitions: columns }),
    rows,
  }
}
