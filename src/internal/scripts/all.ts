import type { Definition } from "../script.ts"

/** Every script of the library, for `RedisMemory` to register and for the conformance suite to compare. */
export const definitions: ReadonlyArray<Definition> = []
