/**
 * The service `user`: `npm run example examples/user-service/worker.ts`, with `REDIS_URL` if Redis runs on another machine.
 *
 * It runs until SIGTERM or Ctrl-C. Then it finishes the actions that have started, and ends with status 0.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { ConfigProvider, Effect, Layer } from "effect"
import { makeWorker, QueueNamingLayer, RedisLayer, RetryLater, SettingsLayer, Worker } from "effect-redis-workers"
import { UserActions } from "./contracts.ts"
import { Users } from "./Users.ts"

/** No answer to the caller: the action is run again, 100 milliseconds from now. */
const later = (cause: unknown) => Effect.fail(new RetryLater({ cause, after: "100 millis" }))

const handlers = UserActions.handlers(Effect.gen(function*() {
  const users = yield* Users

  // The id of the action is the id of the user, so that a second run of the same action finds what the first one did.
  return UserActions.of({
    "user.create": ({ email, name }, { action }) =>
      users.insert({ userId: action.action_id, email, name }).pipe(
        Effect.tap((user) => Effect.log(`created ${user.email}`)),
        Effect.catchTag("DatabaseBusy", later)
      ),

    "user.get": ({ userId }) => users.get(userId).pipe(Effect.catchTag("DatabaseBusy", later)),

    "user.import": Effect.fnUntraced(function*(payload, { action }) {
      const taken: Array<string> = []
      for (const [i, user] of payload.users.entries()) {
        yield* users.insert({ userId: `${action.action_id}-${i}`, ...user }).pipe(
          Effect.catchTag("EmailTaken", () => Effect.sync(() => taken.push(user.email))),
          Effect.catchTag("DatabaseBusy", later)
        )
      }
      return { created: payload.users.length - taken.length, taken }
    })
  })
}))

const AppLayer = Layer.mergeAll(RedisLayer, QueueNamingLayer, Users.layerMemory).pipe(
  Layer.provideMerge(SettingsLayer),
  // The environment decides; without a SERVICE_NAME there this is `user`.
  Layer.provide(ConfigProvider.layerAdd(ConfigProvider.fromUnknown({ SERVICE_NAME: "user", NUM_INTERNAL_WORKERS: 2 })))
)

NodeRuntime.runMain(makeWorker(handlers).pipe(Effect.provide(AppLayer)), { teardown: Worker.teardown })
