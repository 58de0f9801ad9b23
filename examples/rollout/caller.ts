/**
 * A caller that keeps asking: `npm run example examples/rollout/caller.ts`. It is deployed before the service, with the new
 * contracts.
 *
 * Actions that release 1 does not know are kept: they stay in the stream until release 2 runs. The caller ends when they
 * were answered, and prints which release answered what.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { ConfigProvider, Console, Effect, Fiber, Layer } from "effect"
import { ActionClient, QueueNamingLayer, RedisLayer, SettingsLayer } from "effect-redis-workers"
import { CreateUser, MergeUsers } from "./contracts2.ts"

const main = Effect.gen(function*() {
  const client = yield* ActionClient.ActionClient
  const answers = new Map<number, number>()

  const create = client.request(CreateUser, { email: "ana@example.com", plan: "gold" }).pipe(
    Effect.tap(({ release }) => {
      const count = (answers.get(release) ?? 0) + 1
      answers.set(release, count)
      return count === 1 ? Console.log(`release ${release} answers`) : Effect.void
    })
  )

  // Twenty at once, each as long as it takes until only release 2 is left to answer.
  const asking = yield* Effect.forkChild(
    Effect.forEach(
      Array.from({ length: 20 }),
      () => Effect.repeat(Effect.repeat(create, { times: 10 }), { until: ({ release }) => release === 2 }),
      { concurrency: "unbounded", discard: true }
    )
  )
  const { release } = yield* client.request(MergeUsers, { from: "eva", into: "ana" }, { timeout: "2 minutes" })
  yield* Console.log(`merged by release ${release}`)

  yield* Fiber.join(asking)
  for (const [release, count] of answers) yield* Console.log(`release ${release}: ${count} answers`)
})

const AppLayer = ActionClient.layer.pipe(
  Layer.provide(Layer.merge(RedisLayer, QueueNamingLayer)),
  Layer.provide(SettingsLayer),
  Layer.provide(ConfigProvider.layerAdd(ConfigProvider.fromUnknown({ SERVICE_NAME: "signup" })))
)

NodeRuntime.runMain(main.pipe(Effect.provide(AppLayer)))
