/**
 * The stream that an action goes to, and how it gets there.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { QueueNameError, QueueNaming } from "../../QueueNaming.ts"
import { Redis, type RedisError } from "../../Redis.ts"
import { explain } from "../redis/streamIds.ts"
import { EncodeError } from "./errors.ts"

export const make = Effect.gen(function*() {
  const redis = yield* Redis
  const naming = yield* QueueNaming

  /** A name made for a service, by default the one that the action type names. */
  const nameFor = (
    type: string,
    service: string | undefined,
    make: (service: string) => string
  ): Exit.Exit<string, EncodeError> => {
    try {
      return Exit.succeed(make(service ?? naming.targetService(type)))
    } catch (cause) {
      const message = cause instanceof QueueNameError ? cause.message : "The naming has no stream for this action"
      return Exit.fail(new EncodeError({ actionType: type, message }))
    }
  }

  const of = (type: string, service: string | undefined) => nameFor(type, service, (service) => naming.actionStream(service))

  // One function for each stream, so that none is made for each send.
  const explanations = new Map<string, (error: RedisError) => RedisError>()
  const explained = (stream: string) => {
    let known = explanations.get(stream)
    if (known === undefined) {
      known = (error) => explain(stream, error)
      explanations.set(stream, known)
    }
    return known
  }

  const add = (stream: string, text: string, trace: string | undefined): Effect.Effect<string, RedisError> =>
    Effect.mapError(
      trace === undefined
        ? redis.send<string>("XADD", stream, "*", "data", text)
        : redis.send<string>("XADD", stream, "*", "data", text, "traceparent", trace),
      explained(stream)
    )

  return { nameFor, of, explained, add }
})

export type Streams = Effect.Success<typeof make>
