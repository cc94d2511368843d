// Secrets as files declare them.

import type { Declared } from '@sluice/resource'
import { declare } from './scene.ts'

export function secret(name: string, type: string, stringData: Record<string, string>): Declared {
  return declare({ apiVersion: 'v1', kind: 'Secret', metadata: { name }, type, stringData })
}

export function bearerSecret(name: string, token: string): Declared {
  return secret(name, 'sluice.dev/bearer', { token })
}
