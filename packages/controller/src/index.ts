export type { ControllerOptions, StorageObserver } from './options.ts'
export { needsData } from './channels.ts'
export {
  checkData,
  type BrokerReport,
  type DataReport,
  type StartReport,
  type StoreReport,
  type SubscriptionReport,
} from './check.ts'
export { tryEvent, type Tried, type TriedRequest } from './try.ts'
export type { Operated, Operations, Pruned, SeekTarget, TriggerReference } from './operations.ts'
export type { Controller, Entrance } from './contract.ts'
export { CONSENT_PATH } from './consents.ts'
export { WEBHOOKS_WELCOME, type Credentials, type Gate } from './gate.ts'
export { openController } from './controller.ts'
export { dataDirectory, type BrokerIdentity, type DataDirectory, type DataOptions, type Discarded } from './data.ts'
export {
  DRIVERS,
  type BrokerStorage,
  type ChannelKind,
  type Drivers,
  type OpenStorage,
  type StorageProblem,
  type StorageRecovery,
  type StorageSettings,
} from './drivers.ts'
export { unknownSource, type MountedSource } from './sources.ts'
