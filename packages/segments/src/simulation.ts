// For tests: a disk that lives in memory, fails when told to, and whose power can be cut.

export {
  simulatedDisk,
  type RecordedOperation,
  type SimulatedDisk,
  type SimulatedDiskOptions,
} from './simulated-disk.ts'
export type { DiskOperation, Fault } from './simulated-faults.ts'
export { seededRandom } from './simulated-turns.ts'
