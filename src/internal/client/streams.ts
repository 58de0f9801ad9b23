/** The stream for an action, and how to append to it. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { QueueNameError, QueueNaming } from "../../QueueNaming.ts"
import { Redis, type RedisError } from "../../Redis.ts"
import type { InvalidOption } from "../base/invalidOption.ts"
import { memo } from "../base/memo.ts"
import { invalid, text } from "../base/options.ts"
import * as parts from "../redis/nameParts.ts"
import { actionStream } from "../redis/names.ts"
import { explain } from "../redis/streamIds.ts"
import { EncodeError, NoStream } from "./errors.ts"

const serviceName = text(parts.servicePattern, parts.service.expected)

/** A service, and the stream of its actions. */
export interface Target {
  readonly service: string
  readonly stream: string
}

export const make = Effect.gen(function*() {
  const redis = yield* Redis
  const naming = yield* QueueNaming

  /** Names for a service, by default the one in the action type. A service that was given is an option of the call. */
  const namesFor = <A>(
    type: string,
    service: string | undefined,
    make: (service: string) => A,
    option = "service"
  ): Exit.Exit<A, EncodeError | InvalidOption> => {
    try {
      return Exit.succeed(make(service ?? naming.targetService(type)))
    } catch (cause) {
      if (service !== undefined && cause instanceof QueueNameError && cause.part === parts.service.part) {
        return Exit.fail(invalid(option, serviceName, service))
      }
      const message = cause instanceof QueueNameError
        ? cause.message
        : "The naming has no stream for this action: give the option service, or correct the naming"
      return Exit.fail(new EncodeError({ actionType: type, reason: new NoStream({ message }) }))
    }
  }

  // Caches one target for each service and one function for each stream, so that a send creates neither.
  const ofService = memo((service: string): Target => ({ service, stream: actionStream(naming, service) }))
  const explained = memo((stream: string) => (error: RedisError) => explain(stream, error))

  const of = (type: string, service: string | undefined) => namesFor(type, service, ofService)

  /** Appends a text to a stream and returns the id of the entry. */
  const add = (stream: string, text: string, trace: string | undefined): Effect.Effect<string, RedisError> =>
    Effect.mapError(
      trace === undefined
        ? redis.send<string>("XADD", stream, "*", "data", text)
        : redis.send<string>("XADD", stream, "*", "data", text, "traceparent", trace),
      explained(stream)
    )

  return { namesFor, ofService, of, explained, add }
})

export type Streams = Effect.Success<typeof make>
