/** Makes UUIDs. */
import { createHash } from "node:crypto"

/**
 * A UUID of version 4, from the platform's secure generator, which keeps random bytes in stock.
 *
 * Effect's `SecureRandom` asks the system for each id, which costs 4.6 µs instead of 0.06: the largest part of a
 * request.
 */
export const uuid = (): string => globalThis.crypto.randomUUID()

/** The UUID of version 5 of a name in a namespace, which is a UUID too (RFC 9562, section 5.5). */
export const uuidOf = (namespace: string, name: string): string => {
  const hash = createHash("sha1").update(Buffer.from(namespace.replaceAll("-", ""), "hex")).update(name).digest()
  hash[6] = (hash[6]! & 0x0f) | 0x50
  hash[8] = (hash[8]! & 0x3f) | 0x80
  const hex = hash.toString("hex")
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`
}
