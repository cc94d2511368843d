export { systemClock, type Clock, type Timer } from './clock.ts'
export { manualClock, type ManualClock } from './manual.ts'
export { TimerWheel, type TimerWheelOptions } from './wheel.ts'
