export {
  basicCredential,
  bearerCredential,
  headerCredential,
  invalidCredential,
  type Access,
  type Credential,
  type OAuthClient,
  type Receiver,
} from './access.ts'
export { accessProblem } from './authorizing.ts'
export {
  BINARY_HEADER_BYTES_MAX,
  deliverer,
  goesStructured,
  type Deliverer,
  type DelivererOptions,
} from './delivery.ts'
export { parseDuration } from './duration.ts'
export type { Exchanged, ExchangeRequest } from './exchange.ts'
export type { AttemptRequest, DeliveryPolicy, Outcome } from './outcome.ts'
export {
  DEFAULT_POLICY,
  deliveryPolicy,
  nextDelayMs,
  RETRY_DELAY_MS_MAX,
  retryDelayMs,
  type DeliverySpec,
} from './policy.ts'
export { target, type AllowedTargets, type Target } from '@sluice/target'
