import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { runInNewContext } from "node:vm"
import { messageOf, nameOf } from "../../src/internal/wire/errorText.ts"
import * as Settlement from "../../src/internal/worker/settlementOf.ts"
import { RedisError } from "../../src/Redis.ts"

class GatewayDown extends Data.TaggedError("GatewayDown")<{}> {}

class Wrapped extends Data.TaggedError("Wrapped")<{ readonly cause: unknown }> {}

class NoName extends Error {}

const ownCause: Error & { cause?: unknown } = new Error("")
ownCause.cause = ownCause

/** Each holds all the others: opened without a bound this would never end. */
const tangle = Array.from({ length: 200 }, () => new AggregateError([], ""))
for (const error of tangle) error.errors = tangle

const thrower = new Proxy({}, {
  get: () => {
    throw new Error("no")
  },
  has: () => {
    throw new Error("no")
  }
})

const unknownError = (cause: unknown) =>
  Effect.runSync(Effect.flip(Effect.try(() => {
    throw cause
  })))

describe("what an error says", () => {
  const messages: ReadonlyArray<readonly [what: string, error: unknown, message: string | undefined]> = [
    ["a text says itself", "no such table", "no such table"],
    ["an error says its message", new Error("no such table"), "no such table"],
    ["any object with a message says that", { message: "no such table" }, "no such table"],
    ["an error of another realm says its message", runInNewContext("new Error('no such table')"), "no such table"],
    ["a wrapper of Effect.try says what was thrown", unknownError(new Error("no such table")), "no such table"],
    ["a wrapper of Effect.try around a text says the text", unknownError("no such table"), "no such table"],
    ["a wrapper with a message of its own says that", new Cause.UnknownError(new Error("x"), "mine"), "mine"],
    ["an error without a message says its cause", new Error("", { cause: new Error("refused") }), "refused"],
    ["wrappers are opened as often as needed", unknownError(new Wrapped({ cause: "refused" })), "refused"],
    ["an AggregateError says all that it gathered", new AggregateError([new Error("a"), "b", "b"], ""), "a; b"],
    [
      "an AggregateError of Promise.any says why each was rejected",
      new AggregateError([new Error("a"), new Error("b")], "All promises were rejected"),
      "a; b"
    ],
    ["an AggregateError with a message says that", new AggregateError([new Error("a")], "mine"), "mine"],
    ["a cause of Effect says its first failure", Cause.fail(new Error("no such table")), "no such table"],
    ["a RedisError says what the server said", new RedisError({ cause: new Error("READONLY no") }), "READONLY no"],
    ["an empty cause of Effect says nothing", Cause.empty, undefined],
    ["an error that is its own cause says nothing", ownCause, undefined],
    ["errors that hold each other say nothing", tangle[0], undefined],
    ["an object whose properties throw says nothing", thrower, undefined],
    ["an empty text says nothing", "", undefined],
    ["a number says nothing", 7, undefined],
    ["a message that is not a text says nothing", { message: { secret: 1 } }, undefined]
  ]
  for (const [what, error, message] of messages) {
    it(what, () => assert.strictEqual(messageOf(error), message))
  }

  it("is bounded, however much was gathered", () => {
    const errors = Array.from({ length: 100 }, (_, index) => new Error(`${index}`.repeat(4_000)))
    assert.isAtMost(messageOf(new AggregateError(errors, ""))?.length ?? 0, 4_096)
  })
})

describe("the name of an error", () => {
  const names: ReadonlyArray<readonly [what: string, error: unknown, name: string | undefined]> = [
    ["is its tag", new GatewayDown(), "GatewayDown"],
    ["is the tag of an object that is no error", { _tag: "GatewayDown" }, "GatewayDown"],
    ["is its name", new TypeError(""), "TypeError"],
    ["is its class where its name is that of every error", new NoName(""), "NoName"],
    ["is the name of an error of another realm", runInNewContext("new TypeError('')"), "TypeError"],
    ["is that of the cause of a wrapper", unknownError(new GatewayDown()), "GatewayDown"],
    ["is not the name of what is no error", { name: "Ana" }, undefined],
    ["is not Error, which says nothing", new Error(""), undefined]
  ]
  for (const [what, error, name] of names) it(what, () => assert.strictEqual(nameOf(error), name))
})

describe("the failure that a caller reads", () => {
  const failures: ReadonlyArray<readonly [what: string, error: unknown, message: string]> = [
    ["is the text that a handler failed with", "no such table", "no such table"],
    ["names the kind of an error without a message", new TypeError(""), "The handler failed with TypeError"],
    ["names the tag of an error without a message", new GatewayDown(), "The handler failed with GatewayDown"],
    ["names what a wrapper holds", unknownError(new GatewayDown()), "The handler failed with GatewayDown"],
    ["is that of the wrapper where nothing is in it", unknownError(7), "An error occurred in Effect.try"]
  ]
  for (const [what, error, message] of failures) {
    it(`${what}, whether it failed or died`, () => {
      assert.strictEqual(Settlement.undeclared(error).detail.message, message)
      assert.strictEqual(Settlement.defect(error).detail.message, message)
    })
  }

  it("does not show the value that was used in place of an effect", () => {
    // SAFETY: what a handler in JavaScript could do.
    const exit = Effect.runSyncExit(Effect.flatMap(Effect.void, () => "secret" as unknown as Effect.Effect<void>))
    assert.strictEqual(exit._tag, "Failure")
    if (exit._tag !== "Failure") return
    const { message } = Settlement.defect(Cause.squash(exit.cause)).detail
    assert.strictEqual(
      message,
      "The handler used a value that is not an effect where an effect is expected, such as after yield*"
    )
  })
})
