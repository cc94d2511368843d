// `pnpm start`: the quickstart, by the same Node as `sluice up`.

import { launch } from './launch.mjs'

await launch(import.meta.url, true, () => import('../quickstart/start.ts'))
