/**
 * A small service of somebody who is new here, with one mistake in it, which `MISTAKE` names. Most are in the
 * environment alone.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect, Layer, Schema } from "effect"
import {
  Action,
  ActionClient,
  ActionGroup,
  makeWorker,
  QueueNamingLayer,
  RedisLayer,
  SettingsLayer,
  Worker
} from "../../src/index.ts"

const CreateUser = Action.make("user.create", {
  payload: { email: Schema.String, age: Schema.Int },
  success: { userId: Schema.String }
})
const DeleteUser = Action.make("user.delete")
const UserActions = ActionGroup.make(CreateUser, DeleteUser)

/** What callers of a release with another contract send. */
const CreateUserOfOthers = Action.make("user.create", {
  payload: { email: Schema.String },
  success: { userId: Schema.String }
})

const all = {
  "user.create": () => Effect.succeed({ userId: "1" }),
  "user.delete": () => Effect.void
}

// SAFETY: none, on purpose: this is what the compiler refuses, and what plain JavaScript does all the same.
const unchecked = (value: unknown): never => value as never

const AppLayer = ActionClient.layer.pipe(
  Layer.provideMerge(Layer.merge(RedisLayer, QueueNamingLayer)),
  Layer.provideMerge(SettingsLayer)
)

const asking = <A, E>(ask: (client: ActionClient.ActionClient["Service"]) => Effect.Effect<A, E>) =>
  Effect.scoped(Effect.andThen(Worker.start(UserActions.handlers(all)), Effect.flatMap(ActionClient.ActionClient, ask)))

const programs: { readonly [mistake: string]: () => Effect.Effect<unknown, unknown, never> } = {
  environment: () => makeWorker(UserActions.handlers(all)).pipe(Effect.provide(AppLayer)),
  "missing handler": () =>
    makeWorker(UserActions.handlers(unchecked({ "user.create": all["user.create"] }))).pipe(Effect.provide(AppLayer)),
  "missing layer": () =>
    unchecked(
      makeWorker(UserActions.handlers(all)).pipe(
        Effect.provide(Layer.provideMerge(QueueNamingLayer, SettingsLayer))
      )
    ),
  "wrong payload": () =>
    asking((client) => client.request(CreateUser, unchecked({ email: "ana", age: "seven" }))).pipe(
      Effect.provide(AppLayer)
    ),
  "another contract": () =>
    asking((client) => client.request(CreateUserOfOthers, { email: "ana" })).pipe(Effect.provide(AppLayer)),
  "nobody there": () =>
    Effect.flatMap(
      ActionClient.ActionClient,
      (client) => client.request(CreateUser, { email: "ana", age: 7 }, { service: "usre", timeout: "500 millis" })
    ).pipe(Effect.provide(AppLayer)),
  "wrong option": () => makeWorker(UserActions.handlers(all), { concurrency: 0 }).pipe(Effect.provide(AppLayer))
}

NodeRuntime.runMain(programs[process.env["MISTAKE"] ?? "environment"]!(), { teardown: Worker.teardown })
