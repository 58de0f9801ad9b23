import type { Definition } from "../script.ts"
import { holdLease, release, renew } from "./lease.ts"
import { settle } from "./settle.ts"
import { append, countReplacements, moveCallbacks, trim } from "./streams.ts"
import { takeDue, takeIdle, takeOwn } from "./take.ts"

/** Every script of the library, for `RedisMemory` to register and for the conformance suite to compare. */
export const definitions: ReadonlyArray<Definition> = [
  append,
  countReplacements,
  holdLease,
  moveCallbacks,
  release,
  renew,
  settle,
  takeDue,
  takeIdle,
  takeOwn,
  trim
]
