export { decode, ed25519PublicKey, hmacKey, type Encoding, type KeyForm } from './keys.ts'
export {
  ID_HEADER,
  messageId,
  SIGNATURE_HEADER,
  signed,
  signingKey,
  TIMESTAMP_HEADER,
  type SigningKey,
} from './standard-webhooks.ts'
