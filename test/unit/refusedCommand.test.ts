/** Servers before 7.2 name only the line of a script in which a user was refused. */
import { assert, describe, it } from "@effect/vitest"
import { commandsAt } from "../../src/internal/redis/refusedCommand.ts"
import * as deadLetter from "../../src/internal/scripts/deadLetter.ts"
import * as deadLetterMoves from "../../src/internal/scripts/deadLetterMoves.ts"
import * as inspect from "../../src/internal/scripts/inspect.ts"
import * as park from "../../src/internal/scripts/park.ts"
import * as schedules from "../../src/internal/scripts/schedules.ts"
import * as steer from "../../src/internal/scripts/steer.ts"

const texts = Object.entries({ ...deadLetter, ...deadLetterMoves, ...inspect, ...park, ...schedules, ...steer })
  .flatMap(([name, value]) => typeof value === "object" && "lua" in value ? [[name, value.lua] as const] : [])

describe("The command that a line of a script runs", () => {
  it("is named as an ACL names it, with its subcommand", () => {
    const lua =
      "local a = 1\nredis.call('XINFO', 'GROUPS', key)\nlocal b = redis.pcall('ZADD', 'XX', 1)\nreturn call('XADD', k)"
    assert.deepStrictEqual([1, 2, 3, 4, 5].map((line) => commandsAt(lua, line)), [
      [],
      ["xinfo|groups"],
      ["zadd"],
      ["xadd"],
      []
    ])
  })

  it("is the only one in its line, in every script that an operator needs", () => {
    const several = texts.flatMap(([name, lua]) =>
      lua.split("\n").flatMap((text, index) => commandsAt(lua, index + 1).length > 1 ? [`${name}: ${text}`] : [])
    )
    assert.deepStrictEqual(several, [])
    assert.isAtLeast(texts.length, 25)
  })
})
