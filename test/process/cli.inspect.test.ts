/** The commands of `redis-workers` that look at a service and steer it, against a real server. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { jsonOf, redisWorkers } from "../support/commandLine.ts"
import { actionOf } from "../support/messages.ts"
import * as Server from "../support/redisServer.ts"

const run = (...args: ReadonlyArray<string>) => Effect.flatMap(Server.RedisServer, ({ url }) => redisWorkers(url, args))

const all = (...commands: ReadonlyArray<ReadonlyArray<string>>) =>
  Effect.forEach(commands, (args) => run(...args), { concurrency: 3 })

const keysOf = (value: unknown): ReadonlyArray<string> => Object.keys(value as object).sort()

/** A service with a group and waiting actions. */
const filled = (service: string, count: number) =>
  Effect.gen(function*() {
    const { cli } = yield* Server.RedisServer
    const stream = `nooble4:dev:${service}:streams:main`
    const ids: Array<string> = []
    for (let i = 0; i < count; i++) {
      const data = actionOf(`${service}.charge`, i, { data: { card: "4111" } })
      ids.push(String(yield* cli("XADD", stream, "*", "data", data)))
    }
    yield* cli("XGROUP", "CREATE", stream, `${service}-group`, "0")
    return { stream, ids, cli }
  })

// Comparing digests shows that nothing was written.
layer(Server.layer({ config: ["enable-debug-command yes"] }), { excludeTestServices: true, timeout: 60_000 })(
  "the command line",
  (it) => {
    it.effect(
      "shows what is in a service, with payloads only on request, in stable shapes",
      () =>
        Effect.gen(function*() {
          const { ids } = yield* filled("payment", 3)
          const [services, stats, consumers, list, people, hidden, shown] = yield* all(
            ["services", "--json"],
            ["stats", "-s", "payment", "--json"],
            ["consumers", "-s", "payment", "--json"],
            ["list", "waiting", "-s", "payment", "-n", "2", "--json"],
            ["list", "waiting", "-s", "payment"],
            ["show", ids[0]!, "-s", "payment", "--json"],
            ["show", ids[0]!, "-s", "payment", "--payload", "--json"]
          )
          assert.deepStrictEqual(jsonOf(services!), {
            services: [{ service: "payment", hasWorkers: false, length: 3, deadLetters: 0 }],
            complete: true
          })
          const { overview } = jsonOf(stats!) as {
            readonly overview: { readonly length: number; readonly lag: number }
          }
          assert.deepStrictEqual(keysOf(jsonOf(stats!)), ["overview", "statistics"])
          assert.deepStrictEqual([overview.length, overview.lag], [3, 3])
          assert.deepStrictEqual(jsonOf(consumers!), { service: "payment", consumers: [] })
          const page = jsonOf(list!) as { readonly entries: ReadonlyArray<object>; readonly cursor: string | null }
          assert.deepStrictEqual(keysOf(page), ["cursor", "entries", "service", "state"])
          assert.strictEqual(page.entries.length, 2)
          assert.isString(page.cursor)
          assert.include(people!.stdout, ids[2]!)
          assert.notInclude(people!.stdout, "4111")
          const found = jsonOf(hidden!) as { readonly entry: object }
          assert.deepStrictEqual(keysOf(found), ["complete", "entry", "looked", "service"])
          assert.deepStrictEqual(keysOf(found.entry), [
            "actionId",
            "actionType",
            "addedAt",
            "correlationId",
            "entryId",
            "payload",
            "size",
            "state",
            "traceId",
            "verdict"
          ])
          assert.notInclude(hidden!.stdout, "4111")
          assert.include(shown!.stdout, "4111")
        }),
      60_000
    )

    it.effect(
      "suggests the nearest names of a service that does not exist, and refuses a receipt of another environment",
      () =>
        Effect.gen(function*() {
          yield* filled("billing", 1)
          const receipt = "billing/nooble4:prod:billing:streams:main/00000000-0000-4000-8000-000000000000/sent/1-1"
          const [unknown, other] = yield* all(["stats", "-s", "biling"], ["cancel", receipt, "--yes"])
          assert.strictEqual(unknown!.status, 1)
          assert.include(unknown!.stderr, "Did you mean \"billing\"?")
          assert.strictEqual(other!.status, 2)
          assert.include(other!.stderr, "nooble4:prod:billing:streams:main")
        }),
      60_000
    )

    it.effect(
      "cancels and purges what waits, and ends with status 1 where nothing is left to do",
      () =>
        Effect.gen(function*() {
          const { cli, ids, stream } = yield* filled("mail", 4)
          const first = ids[0]!
          const dry = jsonOf(yield* run("cancel", first, "-s", "mail", "--dry-run", "--json")) as {
            readonly from: string
          }
          assert.strictEqual(dry.from, "waiting")
          const unsure = yield* run("cancel", first, "-s", "mail")
          assert.strictEqual(unsure.status, 2)
          assert.strictEqual(yield* cli("XLEN", stream), 4)
          assert.strictEqual((yield* run("cancel", first, "-s", "mail", "--yes")).status, 0)
          assert.strictEqual(yield* cli("XLEN", stream), 3)
          const again = yield* run("cancel", first, "-s", "mail", "--yes")
          assert.strictEqual(again.status, 1)
          assert.include(again.stderr, "has ended")

          const [matched, none] = yield* all(
            ["purge", "waiting", "-s", "mail", "--dry-run", "--json"],
            ["purge", "waiting", "-s", "mail", "--type", "mail.other", "--yes"]
          )
          assert.deepInclude(jsonOf(matched!), { dryRun: true, matched: 3, removed: 0 })
          assert.strictEqual(none!.status, 1)
          assert.include(none!.stderr, "No action matches")
          assert.strictEqual(yield* cli("XLEN", stream), 3)
          const purged = jsonOf(yield* run("purge", "waiting", "-s", "mail", "--yes", "--json"))
          assert.deepInclude(purged, { dryRun: false, matched: 3, removed: 3 })
          assert.strictEqual(yield* cli("XLEN", stream), 0)
        }),
      60_000
    )

    it.effect("pauses and resumes a type, once", () =>
      Effect.gen(function*() {
        yield* filled("shop", 1)
        const pause = ["pause", "shop.charge", "-s", "shop", "--for", "10m", "--reason", "provider is down", "--json"]
        const paused = jsonOf(yield* run(...pause)) as { readonly actionType: string; readonly until: string }
        assert.strictEqual(paused.actionType, "shop.charge")
        assert.match(paused.until, /^\d{4}-.*Z$/)
        const stats = yield* run("stats", "-s", "shop")
        assert.match(stats.stdout, /paused +shop\.charge ends in .*\(provider is down\)/)
        const resume = ["resume", "shop.charge", "-s", "shop"]
        assert.strictEqual((yield* run(...resume)).status, 0)
        assert.strictEqual((yield* run(...resume)).status, 1)
      }), 60_000)

    it.effect("diagnoses a service without workers, and a user whose rights it tries", () =>
      Effect.gen(function*() {
        const server = yield* Server.RedisServer
        yield* filled("ill", 1)
        yield* server.cli(
          ..."ACL SETUSER limited on >secret ~* +@all -xdel -info".split(" ")
        )
        const before = yield* server.cli("DEBUG", "DIGEST")
        const result = yield* redisWorkers(server.url, ["doctor", "-s", "ill", "--json"], {
          env: { REDIS_USERNAME: "limited", REDIS_PASSWORD: "secret" }
        })
        assert.strictEqual(result.status, 1, result.stderr)
        const { findings } = JSON.parse(result.stdout) as {
          readonly findings: ReadonlyArray<{ check: string; level: string; found: string; advice: string | null }>
        }
        const of = (check: string) => findings.find((finding) => finding.check === check)
        assert.strictEqual(of("workers")?.level, "problem")
        assert.strictEqual(of("server")?.level, "skipped")
        assert.strictEqual(of("may be sender")?.level, "ok")
        assert.include(of("may be worker")?.found, "XDEL")
        assert.include(of("may be operator")?.advice, "redis-workers acl operator")
        for (const { advice, check, level } of findings) {
          assert.strictEqual(advice === null, level === "ok", `${check} is ${level} and advises ${advice}`)
        }
        assert.deepStrictEqual(yield* server.cli("DEBUG", "DIGEST"), before)
      }), 60_000)
  }
)
