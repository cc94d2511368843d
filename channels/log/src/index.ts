export { openLogChannel, type LogChannelOptions, type LogRecovery, type OpenedLog } from './open.ts'
