/**
 * Makes ids: UUIDs of version 4 from the platform's secure generator, which keeps random bytes in stock.
 *
 * Effect's `SecureRandom` asks the system for each id, which costs 4.6 µs instead of 0.06: the largest part of a
 * request.
 */
export const uuid = (): string => globalThis.crypto.randomUUID()
