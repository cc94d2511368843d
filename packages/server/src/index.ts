export { serverLimits, type ServerLimits } from './limits.ts'
export { isLoopback, parseAddress, type Address } from './address.ts'
export { tokensIn, type ApiTokens, type TokensInOptions } from './api-tokens.ts'
export {
  certificateIn,
  type Certificate,
  type CertificateFiles,
  type CertificateOptions,
  type LiveCertificate,
} from './certificate.ts'
export { withLog, type EventLog } from './log-observer.ts'
export { metrics, type Metrics } from './metrics.ts'
export { storageLog } from './storage-log.ts'
export { trace, type Trace } from './trace.ts'
export { openServer, type ListenerName, type ServerOptions, type ServerState, type SluiceServer } from './server.ts'
