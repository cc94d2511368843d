import { defineConfig, type ViteUserConfig } from 'vitest/config'

const config: ViteUserConfig = defineConfig({
  test: {
    include: [
      'packages/*/test/**/*.test.ts',
      'channels/*/test/**/*.test.ts',
      'sources/*/test/**/*.test.ts',
      'test/**/*.test.ts',
    ],
    testTimeout: 20_000,
  },
})
export default config
