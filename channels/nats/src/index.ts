export { openNatsChannel, type NatsChannelOptions } from './open.ts'
export { brokerNames, channelNames, consumerName, type StreamNames } from './names.ts'
export type { Credentials } from './connection.ts'
export type { StreamSettings } from './stream.ts'
