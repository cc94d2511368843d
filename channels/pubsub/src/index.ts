export { openPubsubChannel, type PubsubChannelOptions } from './open.ts'
export type { PubsubConnection } from './client.ts'
export { brokerNames, channelNames, type TopicNames } from './names.ts'
export type { TopicSettings } from './topic.ts'
