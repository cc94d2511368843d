export type { AttemptRequest, DeliveryPolicy, Outcome, Target } from './outcome.ts'
