/** Bytes of entries, compared by their digests: a client would decode them to text. */
import { createHash } from "node:crypto"
import { send } from "./layers.ts"

/** SHA-1 of each field of each entry of a stream, as the server has its bytes. */
export const digests = (stream: string) =>
  send<ReadonlyArray<ReadonlyArray<string>>>(
    "EVAL",
    `local result = {}
for i, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do
  result[i] = {}
  for f, field in ipairs(entry[2]) do result[i][f] = redis.sha1hex(field) end
end
return result`,
    1,
    stream
  )

/** SHA-1 of bytes, or of a text in UTF-8. */
export const digest = (bytes: Uint8Array | string) => createHash("sha1").update(bytes).digest("hex")
