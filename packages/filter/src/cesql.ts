// CloudEvents SQL 1.0 as a library of its own: `@sluice/filter/cesql`. A text is parsed to a tree, the tree is compiled
// to a function, and the function gives an event's value and errors.

export { parse, EXPRESSION_BYTES_MAX, EXPRESSION_DEPTH_MAX, type ParseOptions } from './cesql/parser.ts'
export { compile, type CompiledExpression } from './cesql/compile.ts'
export { evaluate } from './cesql/interpret.ts'
export { missingFunctions, warningsOf, type CesqlFinding } from './cesql/check.ts'
export { format } from './cesql/format.ts'
export { CesqlSyntaxError, type CesqlError, type CesqlErrorKind, type CesqlResult } from './cesql/errors.ts'
export {
  BUILT_IN_FUNCTIONS,
  functionsWith,
  type CesqlFunction,
  type FunctionFailure,
  type Functions,
  type ParameterType,
} from './cesql/functions.ts'
export {
  typeOf,
  type ArithmeticNode,
  type AttributeNode,
  type CallNode,
  type ComparisonNode,
  type ExistsNode,
  type Expression,
  type InNode,
  type LikeNode,
  type LiteralNode,
  type LogicNode,
  type Span,
  type UnaryNode,
} from './cesql/syntax.ts'
export { TEXT_LENGTH_MAX, type CesqlEvent, type CesqlType, type CesqlValue } from './cesql/values.ts'
