export { pingSource } from './ping.ts'
