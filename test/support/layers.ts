/**
 * One suite on two servers: in memory, where time is `TestClock`'s, and on a real one, where it passes.
 *
 * Each test has an environment of its own, so that the keys of no two tests meet.
 */
import { it } from "@effect/vitest"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import type { Names } from "../../src/internal/redis/names.ts"
import { namesOf } from "../../src/internal/redis/names.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Redis from "../../src/Redis.ts"
import * as RedisMemory from "../../src/RedisMemory.ts"
import * as Settings from "../../src/Settings.ts"
import * as Cluster from "./cluster.ts"
import { collecting, type LogLine } from "./logs.ts"
import { namingOf } from "./namings.ts"
import { describeInMemory, isOnCluster, type Kind, layerOnServer } from "./place.ts"
import * as Server from "./redisServer.ts"
import { fieldsOf, type Pending, type Row, viewOf } from "./view.ts"

export { fieldsOf, type LogLine, type Row }

/** Where a test runs. */
export class Place extends Context.Service<Place, {
  readonly kind: Kind
  readonly environment: string
  /** Names of the service `user`. */
  readonly names: Names
  /** Lets other fibers go on: a millisecond of `TestClock`, or a few real ones. */
  readonly pause: Effect.Effect<void>
  /** Lets that much time pass, at once in memory. */
  readonly pass: (duration: Duration.Input) => Effect.Effect<void>
  /** What was logged during the test. */
  readonly logs: ReadonlyArray<LogLine>
}>()("effect-redis-workers/test/Place") {}

/** What a test may use. */
export type Services = Redis.Redis | QueueNaming.QueueNaming | Settings.Settings | Place | Scope.Scope

export type Test = (name: string, body: () => Effect.Effect<void, unknown, Services>, timeout?: number) => void

/** A time that is no beginning of anything, so that ids and due times look as they do on a server. */
const startOfTime = Date.UTC(2026, 5, 29, 4, 3)

const realPause = Effect.promise(() => new Promise<void>((resolve) => setTimeout(resolve, 3)))

/** What differs from test to test. */
const ownPlace = (
  kind: Kind
): Layer.Layer<Place | QueueNaming.QueueNaming | Settings.Settings, Settings.SettingsError> =>
  Layer.unwrap(Effect.sync(() => {
    const environment = Server.uniquePrefix()
    const logs: Array<LogLine> = []
    const place = Layer.succeed(Place, {
      kind,
      environment,
      names: namesOf(namingOf(environment), "user"),
      pause: kind === "memory" ? TestClock.adjust("1 millis") : realPause,
      pass: kind === "memory" ? TestClock.adjust : (duration) => Effect.sleep(duration),
      logs
    })
    return Layer.mergeAll(place, QueueNaming.layerOf(namingOf(environment)), collecting(logs)).pipe(
      Layer.provideMerge(Settings.layerOf({ serviceName: "user", environment }))
    )
  }))

const memoryPlace = Layer.mergeAll(ownPlace("memory"), RedisMemory.layer)
const serverPlace = ownPlace("server")

const OneServer = Layer.unwrap(
  Effect.map(Server.RedisServer, ({ url }) => IoRedis.layerOptions({ url }))
).pipe(Layer.provideMerge(Server.layer()))

/** A node to which tests speak themselves: a command whose key is on another node is asked of that one. */
const following = (cluster: Cluster.Cluster): Server.Server => {
  const [first] = cluster.nodes
  return {
    ...first!,
    cli: (...args) =>
      Effect.catch(first!.cli(...args), (error) => {
        const port = /^MOVED \d+ [^ ]+:(\d+)$/.exec(error.message)?.[1]
        const owner = cluster.nodes.find((node) => String(node.port) === port)
        return owner === undefined ? Effect.fail(error) : owner.cli(...args)
      })
  }
}

const OneCluster = Layer.unwrap(
  Effect.map(
    Cluster.RedisCluster,
    (cluster) =>
      Layer.merge(
        IoRedis.layerCluster({ nodes: cluster.urls }),
        Layer.succeed(Server.RedisServer, following(cluster))
      )
  )
).pipe(Layer.provide(Cluster.layer({ replicas: false })))

const RealRedis = isOnCluster ? OneCluster : OneServer

/** Runs the tests in memory, each with a server of its own, whose clock begins at that time. */
export const inMemory = (
  name: string,
  tests: (test: Test, kind: Kind) => void,
  time = startOfTime
): void => {
  describeInMemory(`${name} in memory`, () => {
    tests(
      (title, body, timeout) =>
        it.effect(
          title,
          () =>
            // The time is set before anything sleeps: what looks at its connections each minute would do so for years.
            Effect.andThen(
              TestClock.setTime(time),
              Effect.suspend(body).pipe(Effect.scoped, Effect.provide(memoryPlace))
            ),
          timeout
        ),
      "memory"
    )
  })
}

/** Runs the tests on one real server, which they may ask for as `RedisServer`. */
export const onServer = (
  name: string,
  tests: (
    test: (
      name: string,
      body: () => Effect.Effect<void, unknown, Services | Server.RedisServer>,
      timeout?: number
    ) => void,
    kind: Kind
  ) => void
): void => {
  layerOnServer(RealRedis, { excludeTestServices: true })(
    `${name} on a ${isOnCluster ? "cluster" : "server"}`,
    (it) => {
      tests(
        (title, body, timeout) =>
          it.effect(title, () => Effect.suspend(body).pipe(Effect.scoped, Effect.provide(serverPlace)), timeout),
        "server"
      )
    }
  )
}

/** Runs the tests on both; in memory also with a clock that begins at zero, where a number of 32 bits would do. */
export const onBothFromZero = (name: string, tests: (test: Test, kind: Kind) => void): void => {
  inMemory(`${name} from time zero`, tests, 0)
  onBoth(name, tests)
}

/** Runs the tests on both. */
export const onBoth = (name: string, tests: (test: Test, kind: Kind) => void): void => {
  inMemory(name, tests)
  onServer(name, tests)
}

/** Waits until the condition holds; fails the test when it does not after many pauses. */
export const eventually = <E, R>(
  what: string,
  condition: Effect.Effect<boolean, E, R>
): Effect.Effect<void, E, R | Place> =>
  Effect.gen(function*() {
    const place = yield* Place
    const deadline = performance.now() + 20_000
    for (let round = 0; !(yield* condition); round++) {
      if (place.kind === "memory" ? round > 5_000 : performance.now() > deadline) {
        return yield* Effect.die(new Error(`still not so: ${what}; logged: ${JSON.stringify(place.logs.slice(-10))}`))
      }
      yield* place.pause
    }
  })

/** One command on the shared connection. */
export const send = <A = unknown>(
  command: string,
  ...args: ReadonlyArray<string | number>
): Effect.Effect<A, Redis.RedisError, Redis.Redis> =>
  Effect.flatMap(Redis.Redis, (redis) => redis.send<A>(command, ...args.map(String)))

/** All entries of a stream. */
export const entriesOf = (stream: string): Effect.Effect<ReadonlyArray<Row>, Redis.RedisError, Redis.Redis> =>
  send<ReadonlyArray<Row>>("XRANGE", stream, "-", "+")

/** The extended pending list of a group. */
export const pendingOf = (
  names: Pick<Names, "stream" | "group">
): Effect.Effect<ReadonlyArray<Pending>, Redis.RedisError, Redis.Redis> =>
  send("XPENDING", names.stream, names.group, "-", "+", "10000")

/** What the server knows of the test's service. */
export const view = Effect.map(Place, ({ names }) => viewOf(names, send))
