/**
 * Each script of the library by what it does: the same cases for its Lua on a real server and its twin in memory.
 */
import { onBoth } from "../support/layers.ts"
import { leaseCases } from "./scripts/lease.ts"
import { settleCases } from "./scripts/settle.ts"
import { streamCases } from "./scripts/streams.ts"
import { takeCases } from "./scripts/take.ts"

onBoth("scripts", (test) => {
  settleCases(test)
  takeCases(test)
  leaseCases(test)
  streamCases(test)
})
