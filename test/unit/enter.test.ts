/**
 * The one text by which scripts append to action streams, and the order of an entry's fields.
 */
import { assert, describe, it } from "@effect/vitest"
import { luaEnter, luaFields } from "../../src/internal/scripts/enter.ts"
import { libraryScripts } from "../support/libraryScripts.ts"

/** Appends that are not the text's own: dead letters, and the names that `rehearse` asks the server about. */
const foreignAppends = (lua: string): ReadonlyArray<string> =>
  lua.replaceAll(luaEnter, "").split("\n").filter((line) =>
    /XADD/i.test(line) && !/'XADD', dead\b/.test(line) && !line.includes("for _, name in ipairs({ 'GET'")
  )

describe("the way into an action stream", () => {
  it("is the same text in every script that appends an action", () => {
    const names = libraryScripts.filter(({ lua }) => lua.includes(luaEnter)).map(({ name }) => name)
    assert.sameMembers(names, [
      "adopt",
      "append",
      "buryEntry",
      "fireSchedule",
      "forward",
      "heal",
      "moveCallbacks",
      "park",
      "redeliverAnswer",
      "removeEntries",
      "replayLetters",
      "resumeLane",
      "sendLaned",
      "settle",
      "takeDue"
    ])
  })

  it("is the only place where a script runs XADD on anything but the dead letters", () => {
    const others = libraryScripts.flatMap(({ lua, name }) => foreignAppends(lua).map((line) => `${name}: ${line}`))
    assert.deepStrictEqual(others, [])
  })

  it("takes the fields in their order, however a script lists them, and no field that is left out", () => {
    assert.strictEqual(luaFields({ traceparent: "t", data: "d" }), "'data', d, 'traceparent', t")
    assert.strictEqual(luaFields({ expires: "e", data: "d" }), "'data', d, 'expires', e")
    assert.strictEqual(luaFields({ data: "ARGV[i]" }), "'data', ARGV[i]")
  })
})
