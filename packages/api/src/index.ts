export { API_PATHS, resourceApi, type Api, type ApiOptions } from './api.ts'
export { API_LIMITS, type ApiLimits } from './http.ts'
export type { Resources } from './resources.ts'
