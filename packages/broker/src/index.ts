export { memoryBox, type MemoryBoxOptions } from './box.ts'
export { diskBox, type BoxRecovery, type DiskBoxOptions } from './open-disk-box.ts'
export {
  HOPS_MAX,
  openBroker,
  type Broker,
  type BrokerOptions,
  type TriggerConfig,
  type TriggerStatus,
} from './broker.ts'
export { PRESSURE_ROW, PROBE_FIRST_MS, PROBE_MAX_MS, type TargetState } from './congestion.ts'
export type { Route } from './dispatch.ts'
export { NO_OBSERVER, type BrokerName, type Observer, type TriggerName } from './observer.ts'
