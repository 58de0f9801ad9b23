/** A rollout from version 0.1: its packed package as worker and as sender, beside workers and senders of this version. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Settings from "../../src/Settings.ts"
import * as Worker from "../../src/Worker.ts"
import { Pack, Price } from "../programs/packedContracts.ts"
import * as Processes from "../support/processes.ts"
import * as Server from "../support/redisServer.ts"
import { until } from "../support/until.ts"

const root = join(import.meta.dirname, "../..")
const programs = ["packedContracts", "packedWorker", "packedClient"]

/** A project with the package of version 0.1, and the programs that use it. */
const project = Effect.acquireRelease(
  Effect.sync(() => {
    const folder = mkdtempSync(join(tmpdir(), "effect-redis-workers-0.1-"))
    const modules = join(folder, "node_modules")
    const installed = join(modules, "effect-redis-workers")
    mkdirSync(installed, { recursive: true })
    const packed = join(root, "test/fixtures/released/effect-redis-workers-0.1.0.tgz")
    execFileSync("tar", ["-xzf", packed, "-C", installed, "--strip-components=1"])
    for (const name of ["effect", "ioredis", "@effect"]) {
      symlinkSync(join(root, "node_modules", name), join(modules, name), "dir")
    }
    writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }))
    for (const name of programs) {
      const text = readFileSync(join(root, `test/programs/${name}.ts`), "utf8")
      writeFileSync(join(folder, `${name}.ts`), text.replace("\"../../src/index.ts\"", "\"effect-redis-workers\""))
    }
    return folder
  }),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

const world = Effect.gen(function*() {
  const folder = yield* project
  const server = yield* Server.start()
  const context = yield* Layer.build(
    Layer.mergeAll(IoRedis.layerOptions({ url: server.url }), QueueNaming.layer, Logger.layer([])).pipe(
      Layer.provideMerge(Settings.layerOf({ serviceName: "shop" }))
    )
  )
  /** A program on the package of version 0.1. */
  const run = (name: string) =>
    Processes.start(name, { folder, env: { SERVICE_NAME: "shop", REDIS_URL: server.url, NO_COLOR: "1" } })
  const packed: Array<string> = []
  return {
    packed,
    server,
    client: yield* Effect.provideContext(ActionClient.make(), context),
    startOld: Effect.tap(run("packedWorker"), ({ line }) => line(/worker is up/, 40_000)),
    runOldClient: run("packedClient"),
    /** A worker of this version that knows only prices, and leaves parcels to others. */
    startPricing: Worker.start(
      ActionGroup.make(Price).handlers({ "shop.price": ({ item }) => Effect.succeed({ cents: item.length * 200 }) }),
      { block: "200 millis" }
    ).pipe(Effect.provideContext(context)),
    startWhole: Worker.start(
      ActionGroup.make(Price, Pack).handlers({
        "shop.price": ({ item }) => Effect.succeed({ cents: item.length * 200 }),
        "shop.pack": ({ item }) =>
          Effect.sync(() => {
            packed.push(item)
            return { parcel: `new box of ${item}` }
          })
      }),
      { block: "200 millis" }
    ).pipe(Effect.provideContext(context))
  }
})

const stream = "nooble4:dev:shop:streams:main"

const settled = (server: Server.Server) =>
  until("all is settled", Effect.map(server.cli("XLEN", stream), (length) => length === 0), 40_000)

describe("a rollout from version 0.1", () => {
  it.live(
    "refuses delays while only workers of 0.1 run, and sends everything else to them",
    () =>
      Effect.scoped(Effect.gen(function*() {
        const { client, server, startOld } = yield* world
        const old = yield* startOld
        const error = yield* Effect.flip(client.send(Pack, { item: "later" }, { delay: "1 second" }))
        assert.strictEqual(error._tag, "NotSupported")
        assert.strictEqual(yield* server.cli("EXISTS", "nooble4:dev:shop:parked:due"), 0)
        yield* client.send(Pack, { item: "now" })
        yield* old.line(/^packing now$/, 40_000)
        assert.deepStrictEqual(yield* client.request(Price, { item: "tea" }), { cents: 300 })
        yield* settled(server)
      })),
    120_000
  )

  it.live(
    "lets workers of 0.1 run, once each, what a worker of this version lets into the stream",
    () =>
      Effect.scoped(Effect.gen(function*() {
        const { client, server, startOld, startPricing } = yield* world
        const old = yield* startOld
        yield* startPricing
        const items = Array.from({ length: 10 }, (_, index) => `item${index}`)
        const receipts = yield* client.sendMany(Pack, items.map((item) => ({ item })), {
          delay: "1 second",
          expiresIn: "1 hour"
        })
        assert.isTrue(receipts.every(({ _tag }) => _tag === "Scheduled"))
        yield* old.linesOf(/^packing /, items.length, 40_000)
        yield* settled(server)
        assert.sameMembers(
          old.lines().filter((line) => line.startsWith("packing ")),
          items.map((item) => `packing ${item}`)
        )
        assert.strictEqual(yield* server.cli("XLEN", "nooble4:dev:shop:streams:dead"), 0)
      })),
    120_000
  )

  it.live("answers senders of 0.1, while delayed actions are parked", () =>
    Effect.scoped(Effect.gen(function*() {
      const { client, packed, runOldClient, server, startWhole } = yield* world
      yield* startWhole
      yield* client.send(Pack, { item: "parked" }, { delay: "2 seconds" })
      const old = yield* runOldClient
      assert.deepStrictEqual(yield* old.ended(60_000), { status: 0, signal: null }, old.lines().join("\n"))
      assert.deepStrictEqual(old.lines(), ["price 600", "parcel new box of tea"])
      yield* until("the delayed one ran", Effect.sync(() => packed.includes("parked")))
      yield* settled(server)
      assert.sameMembers(packed, ["tea", "parked"])
    })), 120_000)
})
