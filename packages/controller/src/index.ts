export type { ControllerOptions } from './broker.ts'
export { openController, type Controller } from './controller.ts'
export { DRIVERS, type BrokerStorage, type Drivers, type OpenStorage, type StorageSettings } from './drivers.ts'
