export { memoryChannel, type MemoryChannelOptions } from './memory.ts'
