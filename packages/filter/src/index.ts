export type {
  CesqlFilterNode,
  DataFilterNode,
  DataTest,
  Filter,
  FilterEvent,
  FilterNode,
  JsonScalar,
} from './filter.ts'
export type { AttributeUse } from './uses.ts'
export {
  attributeUses,
  checkTrigger,
  compileAttributes,
  compileFilters,
  compileTrigger,
  type CompileOptions,
  type TriggerCheck,
  type TriggerFilters,
} from './trigger.ts'
export { FilterIndex } from './filter-index.ts'
export { evaluate } from './evaluate.ts'
export { PossibleFilters, verdictOf, type KnownAttributes } from './possible.ts'
export { explain, type Explanation } from './explain.ts'
export type { Clause, Reason } from './clause.ts'
export { FilterError, type FilterCode, type FilterPath, type FilterProblem } from './errors.ts'
export { DEFAULT_FILTER_LIMITS, type FilterLimits } from './limits.ts'
