/**
 * What the memory server has beyond the published suite, held against a real server.
 */
import { assert, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as IoRedis from "../../src/IoRedis.ts"
import type { Redis } from "../../src/Redis.ts"
import * as RedisMemory from "../../src/RedisMemory.ts"
import { cases } from "../../src/testing/Conformance.ts"
import { memoryCases } from "../memory/cases/all.ts"
import { describeInMemory, type Kind, runsOn } from "../support/place.ts"
import * as Server from "../support/redisServer.ts"

const OnServer = Layer.unwrap(Effect.map(Server.RedisServer, ({ url }) => IoRedis.layerOptions({ url }))).pipe(
  Layer.provideMerge(Server.layer()),
  Layer.provideMerge(Logger.layer([]))
)

const suite = (kind: Kind, name: string, redis: Layer.Layer<Redis, unknown>) =>
  runsOn(kind) &&
  layer(redis, { excludeTestServices: true })(name, (it) => {
    for (const { behaviour, name, run } of memoryCases) it.effect(`${behaviour}: ${name}`, () => run)
  })

suite("memory", "the memory server", RedisMemory.layer)
suite("server", "a server", OnServer)

describeInMemory("the cases of the memory server", () => {
  it("have other names than the published ones", () => {
    const names = [...cases, ...memoryCases].map(({ behaviour, name }) => `${behaviour}: ${name}`)
    assert.deepStrictEqual(names.filter((name, index) => names.indexOf(name) !== index), [])
  })
})
