/**
 * What every reader of a message refuses, told to whoever is about to write it: nobody would ever see it.
 */
import { defaultLimits } from "../../DomainAction.ts"
import * as Json from "./json.ts"

/** Why no reader takes a text of JSON, as the end of a sentence about it; `undefined` where all do. */
export const refusalOf = (text: string, maxBytes: number): string | undefined => {
  if (Json.isLarger(text, maxBytes)) return `is larger than the limit of ${maxBytes} bytes (WORKER_PAYLOAD_LIMIT)`
  const { maxDepth } = defaultLimits
  if (Json.isDeeper(text, maxDepth)) return `is nested deeper than ${maxDepth} levels`
  return Json.mayHoldProto(text) && Json.holdsProto(JSON.parse(text)) ? "holds a key __proto__" : undefined
}
