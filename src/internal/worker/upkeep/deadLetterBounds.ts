/** Limits the number and the age of the dead letters. The oldest are dropped, and never without an earlier warning. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { RedisError } from "../../../Redis.ts"
import { maxLetters } from "../../scripts/bounds.ts"
import { boundLetters } from "../../scripts/deadLetterMoves.ts"
import type { MakePart } from "../part.ts"

/** Milliseconds between two looks. */
const interval = 10_000

/** The part of a bound at which a warning is given, and the part below which it would be given again. */
const nearBound = 0.9
const farFromBound = 0.8

const count = (value: number): string => value.toLocaleString("en-US")

const remedy = "Replay or discard them, or raise the worker's option deadLetters"

export const deadLetterBounds: MakePart = ({ names, options, redis, trouble }) => {
  const maxAge = options.deadLetterAge
  const maxCount = Math.floor(options.maxDeadLetters)
  const doing = `bounding ${names.deadLetters}`
  // No letter is dropped because of a limit before an earlier look has logged its warning.
  const warned = { count: false, age: false }
  const scriptBound = (known: boolean, bound: number): number => known && Number.isFinite(bound) ? bound : -1

  const warn = (message: string, left: number): Effect.Effect<void> =>
    Effect.logWarning(`${message}. ${remedy}`).pipe(
      Effect.annotateLogs({ stream: names.deadLetters, dead_letters: left })
    )

  const announce = Effect.fnUntraced(function*(left: number, age: number) {
    if (left < maxCount * farFromBound) warned.count = false
    if (age < maxAge * farFromBound) warned.age = false
    if (!warned.count && left >= maxCount * nearBound) {
      warned.count = true
      yield* warn(
        `${count(left)} dead letters are in ${names.deadLetters}, which keeps ${count(maxCount)}: ` +
          "the oldest are dropped beyond that",
        left
      )
    }
    if (!warned.age && age >= maxAge * nearBound) {
      warned.age = true
      yield* warn(
        `The oldest dead letter in ${names.deadLetters} is ${Duration.format(Duration.millis(age))} old: ` +
          `letters older than ${Duration.format(Duration.millis(maxAge))} are dropped`,
        left
      )
    }
  })

  const look: Effect.Effect<void, RedisError> = Effect.gen(function*() {
    let dropped = 0
    while (true) {
      const reply = yield* redis.eval(boundLetters.script)({
        ...names,
        maxCount: scriptBound(warned.count, maxCount),
        maxAge: scriptBound(warned.age, maxAge),
        limit: maxLetters
      })
      const [now = 0, left = 0, age = 0] = Array.isArray(reply) ? reply.map(Number) : []
      dropped += now
      if (now > 0) continue
      if (dropped > 0) yield* warn(`Dropped the ${count(dropped)} oldest dead letters of ${names.deadLetters}`, left)
      return yield* announce(left, age)
    }
  })

  // Retried as soon as possible, because a worker is not ready while this fails.
  return {
    takes: Effect.forever(
      Effect.andThen(Effect.sleep(Duration.millis(interval)), trouble.around(doing, look))
    )
  }
}
