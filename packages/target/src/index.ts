export { addressGuard, hostRefusal, type AddressGuard, type AllowedTargets } from './guard.ts'
export { target, type Target } from './target.ts'
