/**
 * What workers without work ask of the server, counted by the server.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as Scope from "effect/Scope"
import { randomUUID } from "node:crypto"
import * as DomainAction from "../../src/DomainAction.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Settings from "../../src/Settings.ts"
import * as Worker from "../../src/Worker.ts"
import * as Server from "../support/redisServer.ts"
import { until } from "../support/until.ts"

/** What the server has run so far, by command, those inside scripts included, and its clock in milliseconds. */
const counted = Effect.fnUntraced(function*(server: Server.Server) {
  const stats = String(yield* server.cli("INFO", "commandstats"))
  const time = yield* server.cli("TIME")
  const [seconds, micros] = Array.isArray(time) ? time.map(Number) : []
  const calls = new Map(
    [...stats.matchAll(/cmdstat_([^:]+):calls=(\d+)/g)].map(([, name, count]) => [String(name), Number(count)] as const)
  )
  return { at: Number(seconds) * 1000 + Number(micros) / 1000, calls }
})

/** Commands a second over a span of the server's clock, in all and by name, without those that only scripts send. */
const rates = Effect.fnUntraced(function*(
  server: Server.Server,
  span: number,
  inside: ReadonlyArray<string> = []
) {
  const first = yield* counted(server)
  // The looks at the clock are the test's own, and left out.
  let looks = 1
  let now = first.at
  yield* until(
    "the span has passed on the server",
    Effect.map(server.cli("TIME"), (time) => {
      looks++
      now = Array.isArray(time) ? Number(time[0]) * 1000 + Number(time[1]) / 1000 : 0
      return now - first.at >= span
    }),
    span * 10
  )
  const last = yield* counted(server)
  const seconds = (last.at - first.at) / 1000
  const byName = [...last.calls].map(([name, count]) => {
    const own = name === "time" ? looks : name === "info" ? 1 : 0
    return [name, (count - (first.calls.get(name) ?? 0) - own) / seconds] as const
  }).filter(([name, rate]) => rate > 0 && !inside.includes(name)).sort((a, b) => b[1] - a[1])
  return {
    total: byName.reduce((sum, [, rate]) => sum + rate, 0),
    shown: byName.map(([name, rate]) => `${name} ${rate.toFixed(2)}`).join(", ")
  }
})

const start = Effect.fnUntraced(function*(
  server: Server.Server,
  services: ReadonlyArray<string>,
  types: ReadonlyArray<string>,
  options: Worker.WorkerOptions = {},
  username?: string
) {
  const context = yield* Layer.build(
    Layer.mergeAll(IoRedis.layer, QueueNaming.layer, Logger.layer([])).pipe(
      Layer.provideMerge(
        Settings.layerOf({ serviceName: "user", redis: { url: server.url, username, password: username } })
      )
    )
  )
  const handled: Array<string> = []
  for (const service of services) {
    const handler = (action: DomainAction.DomainAction) =>
      Effect.sync(() => {
        handled.push(action.action_type)
      })
    const handlers: Record<`${string}.${string}`, typeof handler> = {}
    for (const type of types) handlers[`${service}.${type}`] = handler
    yield* Worker.start(handlers, { service, ...options }).pipe(Effect.provideContext(context))
  }
  return handled
})

const live = (name: string, body: () => Effect.Effect<void, unknown, Scope.Scope>) =>
  it.live(name, () => Effect.scoped(body()), 60_000)

/** Commands a second that one idle worker may cost the server. */
const most = 8
const span = 10_000

const callback = (type: string) =>
  DomainAction.encode(DomainAction.make({
    action_id: randomUUID(),
    action_type: type,
    timestamp: "2026-01-01T00:00:00Z",
    data: {}
  }))

describe("idle workers", () => {
  live(
    "of three services ask the server for no more than 24 commands a second, also right after their start",
    () =>
      Effect.gen(function*() {
        const server = yield* Server.start()
        yield* start(server, ["user", "order", "mail"], ["create", "change"])
        const { shown, total } = yield* rates(server, span)
        assert.isAtMost(total, 3 * most, shown)
      })
  )

  live("ask for no more commands the more types they handle", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      yield* start(server, ["user"], Array.from({ length: 20 }, (_, index) => `type${index}`))
      const { shown, total } = yield* rates(server, span)
      assert.isAtMost(total, most, shown)
    }))

  live(
    "ask for no more than 4 commands a second when they have no callbacks to look for",
    () =>
      Effect.gen(function*() {
        const server = yield* Server.start()
        yield* start(server, ["user"], ["create"], { callbacks: false })
        const { shown, total } = yield* rates(server, span)
        assert.isAtMost(total, 4, shown)
      })
  )

  live("send no more commands while actions are parked that are due much later", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      yield* start(server, ["user"], ["create", "change"])
      // An hour ahead, by the clock of the server.
      const parked = "nooble4:dev:user:parked"
      const later = `redis.call('ZADD', KEYS[1], redis.call('TIME')[1] * 1000 + 3600000, 'id') return 1`
      yield* server.cli("EVAL", later, "1", `${parked}:due`)
      yield* server.cli("HSET", `${parked}:entries`, "id", "\n4:data2:{}")
      const { shown, total } = yield* rates(server, span, ["zrange", "time", "hgetall"])
      assert.match(shown, /evalsha/)
      assert.isAtMost(total, most, shown)
    }))

  live("find callbacks in every list while another list holds something else", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      yield* server.cli("SET", "nooble4:dev:user:callbacks:user_broken:inbox", "no list")
      const handled = yield* start(server, ["user"], ["broken", "created", "changed"])
      for (const type of ["created", "changed"]) {
        yield* server.cli("LPUSH", `nooble4:dev:user:callbacks:user_${type}:inbox`, callback(`user.${type}`))
        yield* until(`${type} is handled`, Effect.sync(() => handled.includes(`user.${type}`)))
      }
    }))

  live("find callbacks although their user may not run EXISTS, and are refused it once", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      yield* server.cli(
        "ACL",
        "SETUSER",
        "worker",
        "on",
        ">worker",
        "~*",
        "&*",
        "+@all",
        "-exists",
        "(~*:retries:* ~*:parked:* ~*:lanes:* ~*:schedules:* ~*:paused +exists)"
      )
      const handled = yield* start(server, ["user"], ["created"], {}, "worker")
      for (let count = 1; count <= 3; count++) {
        yield* server.cli("LPUSH", "nooble4:dev:user:callbacks:user_created:inbox", callback("user.created"))
        yield* until(`${count} are handled`, Effect.sync(() => handled.length === count))
      }
      const log = yield* server.cli("ACL", "LOG", "100")
      // Count, and the command or key: that of a group of refusals that are alike.
      const refusals = (Array.isArray(log) ? log : []).map((entry) => Array.isArray(entry) ? entry.map(String) : [])
      assert.deepStrictEqual(
        refusals.filter((entry) => entry[7] === "exists" || entry[7]?.includes(":callbacks:")).map((entry) => entry[1]),
        ["1"],
        JSON.stringify(log)
      )
    }))
})
