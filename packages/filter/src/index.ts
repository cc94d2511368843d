export type { Filter, FilterEvent, FilterNode } from './filter.ts'
