/**
 * The end of a client while its server is silent.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type * as ActionClient from "../../src/ActionClient.ts"
import * as Trouble from "../support/troubleWorld.ts"
import { until } from "../support/until.ts"

/** A server that never answers again would be waited for until long after the test. */
const patient = { replyTimeout: "1 minute", blockGrace: "1 minute", connectTimeout: "1 minute" } as const

const ends = (
  before: (
    client: ActionClient.ActionClient["Service"],
    world: Trouble.World
  ) => Effect.Effect<unknown, unknown, Scope.Scope>
) =>
  Effect.gen(function*() {
    const world = yield* Trouble.make()
    const scope = yield* Scope.make()
    const client = yield* Effect.provideService(world.startClient(patient), Scope.Scope, scope)
    yield* before(client, world)
    yield* world.proxy.blackhole()
    yield* Scope.close(scope, Exit.void).pipe(Effect.timeout("5 seconds"))
  })

const reading = (world: Trouble.World) =>
  until(
    "the inbox is read",
    Effect.map(world.server.cli("CLIENT", "LIST"), (list) => / cmd=blmpop /.test(String(list)))
  )

describe("the scope of a client ends within seconds while the server is silent", () => {
  it.live("when it has never asked for anything", () => ends(() => Effect.void))

  it.live("when a request waits for its answer", () =>
    ends((client, world) =>
      Effect.gen(function*() {
        // Nobody handles it.
        yield* Effect.forkScoped(Effect.exit(client.request(Trouble.Do, { key: "a" }, { timeout: "1 minute" })))
        yield* reading(world)
      })
    ))

  it.live("when a request was answered and the inbox is still read", () =>
    ends((client, world) =>
      Effect.gen(function*() {
        yield* world.startWorker()
        const asking = yield* Effect.forkScoped(client.request(Trouble.Do, { key: "a" }))
        assert.deepStrictEqual(yield* Fiber.join(asking), { key: "a" })
        yield* reading(world)
      })
    ))
})
