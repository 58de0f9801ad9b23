/**
 * Text outside, bytes inside: within the memory server a string holds one byte in each character, as a server's strings do.
 *
 * Commands count, cut and order bytes then, and Lua sees what it would see on a server. The two conversions happen where a
 * command arrives and where its reply leaves.
 */

/** A character that needs more than one byte, or half of a surrogate pair. */
const beyondAscii = /[^\x00-\x7f]/

/** The UTF-8 bytes of a text. A lone surrogate becomes U+FFFD, as on its way to a server. */
export const toBytes = (text: string): string =>
  beyondAscii.test(text) ? Buffer.from(text, "utf8").toString("latin1") : text

/** The text of some bytes. Bytes that are not UTF-8 become U+FFFD, as in the replies of a client. */
export const fromBytes = (bytes: string): string =>
  beyondAscii.test(bytes) ? Buffer.from(bytes, "latin1").toString("utf8") : bytes
