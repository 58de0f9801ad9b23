/** A worker whose user has the rights of 0.1 and of everything else, but none for statistics. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as IoRedis from "../../src/IoRedis.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Settings from "../../src/Settings.ts"
import * as Worker from "../../src/Worker.ts"
import { collecting, type LogLine } from "../support/logs.ts"
import { actionOf } from "../support/messages.ts"
import * as Server from "../support/redisServer.ts"
import { until } from "../support/until.ts"

const acl = readFileSync(join(import.meta.dirname, "../../docs/redis.acl"), "utf8")

const withoutRights = acl
  .replace(/^user default off$/m, "user default on nopass ~* &* +@all")
  .replaceAll(" ~nooble4:dev:user:statistics:*", "")
  .replaceAll(/ \(~nooble4:dev:user:statistics:\*[^)]*\)/g, "")

const ServerLayer = Layer.unwrap(Effect.gen(function*() {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-redis-workers-rights-"))),
    (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
  )
  const file = join(directory, "redis.acl")
  writeFileSync(file, withoutRights)
  return Server.layer({ config: [`aclfile ${file}`] })
}))

layer(ServerLayer, { excludeTestServices: true, timeout: 30_000 })(
  "A worker without the rights for statistics",
  (it) => {
    it.effect("runs every action, warns once and ends", () =>
      Effect.gen(function*() {
        const { cli, url } = yield* Server.RedisServer
        assert.notInclude(withoutRights, "statistics")
        const logs: Array<LogLine> = []
        const warnings = () => logs.filter(({ text }) => text.includes("The statistics of user are not written"))
        let ran = 0
        const worker = yield* Worker.start({ "user.step": () => Effect.sync(() => void ran++) }).pipe(
          Effect.provide(
            yield* Layer.build(
              Layer.mergeAll(IoRedis.layer, QueueNaming.layer, collecting(logs)).pipe(
                Layer.provideMerge(Settings.layerOf({
                  serviceName: "user",
                  redis: { url, username: "worker", password: "change-me-worker" }
                }))
              )
            )
          )
        )
        const add = (id: number) =>
          cli("XADD", "nooble4:dev:user:streams:main", "*", "data", actionOf("user.step", id, { data: {} }))
        yield* add(1)
        yield* until("it warns", Effect.sync(() => warnings().length > 0))
        yield* add(2)
        yield* until("the second action ran", Effect.sync(() => ran === 2))
        assert.strictEqual((yield* worker.status).state, "running")
        yield* worker.drain
        assert.strictEqual(warnings().length, 1)
        assert.match(warnings()[0]!.text, /NOPERM.*docs\/redis\.acl.*option statistics to false/)
        assert.strictEqual(logs.filter(({ level }) => level === "Error").length, 0)
      }), 40_000)
  }
)
