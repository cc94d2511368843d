export { openKafkaChannel, type KafkaChannelOptions } from './open.ts'
export { brokerNames, channelNames, type TopicNames } from './names.ts'
export type { KafkaConnection } from './client.ts'
export type { TopicSettings } from './topic.ts'
