/**
 * Strings of one byte a character, as the memory server has them, to and from those of the Lua VM.
 *
 * Fengari's own conversions decode UTF-8 and take a second for 4 MiB.
 */

/** Below this length a loop is faster than a call into Node. */
const short = 48

export const toLua = (bytes: string): Uint8Array => {
  const { length } = bytes
  if (length > short) {
    const { buffer, byteOffset } = Buffer.from(bytes, "latin1")
    return new Uint8Array(buffer, byteOffset, length)
  }
  const array = new Uint8Array(length)
  for (let i = 0; i < length; i++) array[i] = bytes.charCodeAt(i)
  return array
}

export const fromLua = (array: Uint8Array): string => {
  const { length } = array
  if (length > short) return Buffer.from(array.buffer, array.byteOffset, length).toString("latin1")
  let bytes = ""
  for (let i = 0; i < length; i++) bytes += String.fromCharCode(array[i]!)
  return bytes
}
