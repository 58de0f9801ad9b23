import { layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as IoRedis from "../../src/IoRedis.ts"
import { layer as serverLayer, RedisServer } from "../support/redisServer.ts"
import { deadLetterTwinCases } from "./deadLetters.ts"
import { streamTwinCases } from "./streams.ts"

const OnServer = Layer.unwrap(Effect.map(RedisServer, ({ url }) => IoRedis.layerOptions({ url }))).pipe(
  Layer.provideMerge(serverLayer())
)

layer(OnServer, { excludeTestServices: true })("the scripts of the library in memory and on a server", (it) => {
  for (const { name, run } of [...streamTwinCases, ...deadLetterTwinCases]) it.effect(name, () => run)
})
