/** `npm run demo`, from its first line to Ctrl-C. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFileSync } from "node:child_process"
import * as Processes from "../support/processes.ts"
import { freePort } from "../support/redisServer.ts"
import { RespConnection } from "../support/resp.ts"
import { until } from "../support/until.ts"

const announced = /The dashboard is at (http:\S+), the messages at redis:\/\/127\.0\.0\.1:(\d+)/

const start = Effect.gen(function*() {
  execFileSync(process.execPath, ["scripts/dashboard.ts"], { stdio: "ignore" })
  const port = yield* freePort
  const env = { NO_COLOR: "1", PORT: String(port), REDIS_SERVER: process.env["REDIS_SERVER"] }
  const program = yield* Processes.start("../../examples/demo/main", { env })
  const [, page, redis] = announced.exec(yield* program.line(announced, 60_000))!
  return { program, page: page!, redis: Number(redis) }
})

const answers = (url: string) => Effect.promise(() => fetch(url).then((response) => response.text(), () => undefined))

interface Overview {
  readonly service: string
  readonly deadLetters: number
  readonly retrying: number
  readonly scheduled: number
  readonly schedules: number
  readonly pauses: ReadonlyArray<unknown>
}

const services = (page: string) =>
  Effect.promise(async () => {
    const response = await fetch(`${page}/api/services`)
    // SAFETY: another shape would fail the condition that reads it.
    const { services } = await response.json() as { readonly services: ReadonlyArray<Overview> }
    return services
  })

const pings = (port: number) =>
  Effect.promise(() => RespConnection.ask(port, ["PING"], 2_000).then((reply) => reply === "PONG", () => false))

it.live(
  "the demo serves a page over services with failures, retries, delays and a pause, and Ctrl-C ends all of it",
  () =>
    Effect.gen(function*() {
      const { page, program, redis } = yield* start
      assert.include(yield* answers(page), "<html")
      assert.isTrue(yield* pings(redis), "the server of the demo does not answer")

      const busy = Effect.map(services(page), (found) => {
        const of = (name: string) => found.find((known) => known.service === name)
        const payment = of("payment")
        const mail = of("mail")
        return payment !== undefined && payment.deadLetters > 0 && payment.retrying > 0 && mail !== undefined &&
          mail.scheduled > 0 && mail.schedules > 0 && mail.pauses.length === 1 && (of("report")?.schedules ?? 0) > 0
      })
      yield* until("the page knows of dead letters, retries, delays, schedules and a pause", busy, 60_000)

      yield* program.signal("SIGINT")
      assert.deepStrictEqual(yield* program.ended(30_000), { status: 0, signal: null }, program.lines().join("\n"))
      assert.isUndefined(yield* answers(page), "the page is still served")
      yield* until("the server has ended", Effect.map(pings(redis), (alive) => !alive))
    }),
  180_000
)

it.live("the demo leaves no server behind when it is killed", () =>
  Effect.gen(function*() {
    const { program, redis } = yield* start
    assert.isTrue(yield* pings(redis), "the server of the demo does not answer")
    yield* program.signal("SIGKILL")
    yield* program.ended()
    yield* until("the server has ended", Effect.map(pings(redis), (alive) => !alive))
  }), 180_000)
