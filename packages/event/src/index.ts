export { SluiceError, type ErrorDetails } from './errors.ts'
export { Event, HOPS_UNSET, type AttributeValue } from './event.ts'
