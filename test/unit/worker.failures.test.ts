/**
 * What a handler fails with reaches the caller and the dead letter, whatever it is.
 */
import { assert } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { RetryLater } from "../../src/HandlerError.ts"
import * as Worker from "../../src/Worker.ts"
import { eventually, inMemory, Place } from "../support/layers.ts"
import { answersOf, deadLetters, quick, sendAction, settled } from "../support/world.ts"

class GatewayDown extends Data.TaggedError("GatewayDown")<{}> {}

type Result = Effect.Effect<object, unknown>

// SAFETY: what a handler in JavaScript, or behind a cast, could return.
const notAnEffect = (value: unknown): Result => value as Result

/** What a handler does, what the caller reads, what stands in the dead letter where that is something else, and the log where that differs. */
const failures: ReadonlyArray<
  readonly [what: string, run: () => Result, message: string, letter?: string | undefined, line?: string]
> = [
  ["a text", () => Effect.fail("no such table"), "no such table"],
  ["a thrown text", () => Effect.die("no such table"), "no such table"],
  ["an object with a message", () => Effect.fail({ message: "no such table" }), "no such table"],
  [
    "an error without a message",
    () => Effect.die(new RangeError("")),
    "The handler failed with RangeError",
    undefined,
    "RangeError"
  ],
  [
    "a rejected promise",
    () => Effect.tryPromise(() => Promise.reject(new Error("no such table"))),
    "no such table"
  ],
  [
    "promises that were all rejected",
    () => Effect.promise(() => Promise.any([Promise.reject(new Error("a")), Promise.reject(new Error("b"))])),
    "a; b"
  ],
  [
    "RetryLater around a tagged error without a message",
    () => Effect.fail(new RetryLater({ cause: new GatewayDown() })),
    "The handler asked for another attempt",
    "GatewayDown"
  ],
  [
    "RetryLater around a rejected promise",
    () =>
      Effect.mapError(
        Effect.tryPromise(() => Promise.reject(new Error("connect ECONNREFUSED"))),
        (cause) => new RetryLater({ cause })
      ),
    "The handler asked for another attempt",
    "connect ECONNREFUSED"
  ],
  [
    "an object in place of an effect",
    () => notAnEffect({ userId: "secret" }),
    "The handler of \"user.create\" returned a value of type object, not an effect: return an effect, such as Effect.void or Effect.succeed",
    undefined,
    "TypeError: The handler of \"user.create\" returned a value of type object, not an effect: return an effect, such as Effect.void or Effect.succeed"
  ],
  [
    "nothing in place of an effect",
    () => notAnEffect(undefined),
    "The handler of \"user.create\" returned undefined, not an effect: return an effect, such as Effect.void or Effect.succeed",
    undefined,
    "TypeError: The handler of \"user.create\" returned undefined, not an effect: return an effect, such as Effect.void or Effect.succeed"
  ],
  [
    "a promise in place of an effect",
    () => notAnEffect(Promise.reject(new Error("unhandled"))),
    "The handler of \"user.create\" returned a promise, not an effect: wrap it with Effect.promise",
    undefined,
    "TypeError: The handler of \"user.create\" returned a promise, not an effect: wrap it with Effect.promise"
  ]
]

inMemory("a handler that fails", (test) => {
  for (const [what, run, message, letter = message, line = letter] of failures) {
    test(`gives its caller and the dead letter the error that it failed with: ${what}`, () =>
      Effect.gen(function*() {
        const place = yield* Place
        yield* Worker.start({ "user.create": () => run() }, { ...quick, maxAttempts: 1 })
        const sent = yield* sendAction("", { expectation: "response" })
        yield* settled
        const [answer] = yield* answersOf(sent)
        assert.deepInclude((answer as { readonly error: object }).error, { message })
        assert.strictEqual((yield* deadLetters)[0]?.notes["message"], letter)
        yield* eventually(
          "it is logged",
          Effect.sync(() => place.logs.some(({ text }) => text.startsWith(`Dead letter (exhausted): ${line}`)))
        )
      }))
  }
})
