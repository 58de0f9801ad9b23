/** What all operations of the inspector share: the connection, names, known services, and contracts. */
import * as Effect from "effect/Effect"
import type * as Action from "../../Action.ts"
import type * as ActionGroup from "../../ActionGroup.ts"
import type { ReadError } from "../../Inspector.ts"
import { QueueNameError, type QueueNamingShape } from "../../QueueNaming.ts"
import type { Redis, RedisError } from "../../Redis.ts"
import { memo } from "../base/memo.ts"
import { actionStream, type Names, namesOf } from "../redis/names.ts"
import { ServiceNotFound } from "./errors.ts"
import { permitting } from "./errorsOf.ts"
import { nearest } from "./nearest.ts"
import { scanServices } from "./scan.ts"

export interface DeskInput {
  readonly redis: Redis["Service"]
  readonly naming: QueueNamingShape
  readonly services: ReadonlySet<string>
  readonly groups: ReadonlyArray<ActionGroup.Any>
  readonly scan: boolean
}

export interface Desk extends DeskInput {
  readonly contracts: ReadonlyMap<string, Action.Any>
  /** The names of a service, whether it exists or not. */
  readonly namesFor: (service: string) => Effect.Effect<Names, QueueNameError>
  /** Runs an operation on a service that exists. */
  readonly on: <A, E, R>(
    service: string,
    operation: string,
    run: (names: Names) => Effect.Effect<A, E | RedisError, R>
  ) => Effect.Effect<A, E | ReadError, R>
}

/** The keys that tell whether there is a service. */
export const marksOf = (names: Names): ReadonlyArray<string> => [
  names.stream,
  names.deadLetters,
  names.features,
  names.parkedDue,
  names.scheduleSpecs
]

export const make = (input: DeskInput): Desk => {
  const { naming, redis } = input
  const makeNames = memo((service: string): Names => namesOf(naming, service))
  const seen = new Set<string>()

  const namesFor = (service: string): Effect.Effect<Names, QueueNameError> =>
    Effect.try({
      try: () => makeNames(service),
      catch: (cause) =>
        cause instanceof QueueNameError
          ? cause
          : new QueueNameError({ part: "service", found: service, expected: "a name that the naming takes" })
    })

  /** A scan is a help and no need. */
  const known = Effect.suspend(() =>
    input.scan
      ? Effect.map(
        Effect.catch(scanServices(redis, naming), () => Effect.succeed({ services: [], complete: false })),
        ({ services }) => [...input.services, ...services]
      )
      : Effect.succeed([...input.services])
  )

  const notFound = (service: string) =>
    Effect.flatMap(
      known,
      (names) =>
        new ServiceNotFound({ service, nearest: nearest(service, names), stream: actionStream(naming, service) })
    )

  const exists = (names: Names): Effect.Effect<boolean, RedisError> =>
    Effect.map(redis.send("EXISTS", ...marksOf(names)), (count) => Number(count) > 0)

  const need = Effect.fnUntraced(
    function*(service: string): Effect.fn.Return<Names, ServiceNotFound | QueueNameError | RedisError> {
      const names = yield* namesFor(service)
      if (seen.has(service)) return names
      if (!(yield* exists(names))) return yield* notFound(service)
      seen.add(service)
      return names
    }
  )

  return {
    ...input,
    contracts: new Map(input.groups.flatMap((group) => [...group.actions])),
    namesFor,
    on: <A, E, R>(service: string, operation: string, run: (names: Names) => Effect.Effect<A, E | RedisError, R>) =>
      permitting(service, operation)<A, E | ServiceNotFound | QueueNameError, R>(
        Effect.flatMap(need(service), run)
      )
  }
}
