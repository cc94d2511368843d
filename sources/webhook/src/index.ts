export type { Preset } from './preset.ts'
export { PRESETS } from './presets.ts'
export { webhookSource, type WebhookOptions } from './webhook.ts'
