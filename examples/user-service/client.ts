/**
 * The service `signup`: `npm run example examples/user-service/client.ts`, while the worker of `user` runs or before it
 * starts.
 *
 * It sends requests, asks for an import with a callback, and runs a worker of its own that receives the callback.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { ConfigProvider, Console, Deferred, Effect, Layer } from "effect"
import { ActionClient, QueueNamingLayer, RedisLayer, SettingsLayer, Worker } from "effect-redis-workers"
import { CreateUser, GetUser, ImportFinished, ImportUsers, SignupActions } from "./contracts.ts"

const signUp = Effect.fnUntraced(function*(email: string, name: string) {
  const client = yield* ActionClient.ActionClient
  yield* client.request(CreateUser, { email, name }, { timeout: "20 seconds" }).pipe(
    Effect.flatMap((user) => client.request(GetUser, { userId: user.userId })),
    Effect.flatMap((user) => Console.log(`${user.name} <${user.email}> has signed up`)),
    Effect.catchTag("EmailTaken", (error) => Console.log(`${error.email} is taken`))
  )
})

const main = Effect.gen(function*() {
  const client = yield* ActionClient.ActionClient
  const finished = yield* Deferred.make<void>()

  const finish = (text: string) =>
    Effect.asVoid(Effect.andThen(Console.log(text), Deferred.succeed(finished, undefined)))

  yield* Worker.start(SignupActions.handlers({
    "signup.import_finished": ({ created, taken }) => finish(`import: ${created} created, taken: ${taken.join(", ")}`),
    "signup.import_failed": ({ message }) => finish(`import failed: ${message}`)
  }))

  yield* signUp("ana@example.com", "Ana")
  yield* signUp("ana@example.com", "Another Ana")
  yield* client.sendWithCallback(ImportUsers, {
    users: [{ email: "ana@example.com", name: "Ana" }, { email: "eva@example.com", name: "Eva" }]
  }, { callback: ImportFinished })
  yield* Deferred.await(finished)
})

const AppLayer = ActionClient.layer.pipe(
  Layer.provideMerge(Layer.merge(RedisLayer, QueueNamingLayer)),
  Layer.provideMerge(SettingsLayer),
  Layer.provide(ConfigProvider.layerAdd(ConfigProvider.fromUnknown({ SERVICE_NAME: "signup" })))
)

NodeRuntime.runMain(main.pipe(Effect.scoped, Effect.provide(AppLayer)))
