/**
 * Each script of the library by what it does: the same cases for its Lua on a real server and its twin in memory.
 */
import { onBoth } from "../support/layers.ts"
import { settleCases } from "./scripts/settle.ts"

onBoth("scripts", (test) => {
  settleCases(test)
})
