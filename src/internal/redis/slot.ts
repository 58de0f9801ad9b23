/**
 * Hash slots of Redis Cluster, as the server computes them: CRC16 (XMODEM) of the hash tag of a key, or of the whole key.
 * Computed here, so that no start needs the permission for `CLUSTER KEYSLOT`.
 */

/** The number of slots of a cluster. */
export const slotCount = 16_384

const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021
  return crc
})

/** The hash tag of a key: the text between its first brace and the next closing one; `undefined` without one. */
export const tagOf = (key: string): string | undefined => {
  const open = key.indexOf("{")
  if (open < 0) return undefined
  const close = key.indexOf("}", open + 1)
  return close <= open + 1 ? undefined : key.slice(open + 1, close)
}

/** The slot of a key. */
export const slotOf = (key: string): number => {
  let crc = 0
  for (const byte of Buffer.from(tagOf(key) ?? key)) crc = ((crc << 8) ^ table[(crc >> 8) ^ byte]!) & 0xffff
  return crc % slotCount
}
