/** Receipts in tests. */
import { assert } from "@effect/vitest"
import type { Receipt } from "../../src/Receipt.ts"

/** The entry of an action that went into the stream at once. */
export const entryIdOf = (receipt: Receipt): string => {
  if (receipt._tag !== "Sent") assert.fail(`The receipt is ${receipt._tag}, and not Sent`)
  return receipt.entryId
}
