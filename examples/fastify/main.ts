/**
 * A Fastify app with a worker inside. Express, Koa, Nest and other frameworks with hooks work the same way.
 *
 * `npm run example examples/fastify/main.ts`, with `REDIS_URL` if Redis runs on another machine.
 */
import { Config, ConfigProvider, Effect, Layer, ManagedRuntime, Schema } from "effect"
import {
  Action,
  ActionClient,
  ActionGroup,
  QueueNamingLayer,
  RedisLayer,
  SettingsLayer,
  Worker
} from "effect-redis-workers"
import Fastify from "fastify"

class EmailTaken extends Schema.TaggedError<EmailTaken>()("EmailTaken", { email: Schema.String }) {}

const CreateUser = Action.make("user.create", {
  payload: { email: Schema.String },
  success: { userId: Schema.String },
  error: EmailTaken
})

const UserActions = ActionGroup.make(CreateUser)

const handlers = UserActions.handlers(Effect.gen(function*() {
  const ids = new Map<string, string>()
  const pace = yield* Config.Duration("PACE").pipe(Config.withDefault("100 millis"))
  return UserActions.of({
    // An action that runs again finds the user that it created.
    "user.create": ({ email }, { action: { action_id: userId } }) =>
      Effect.gen(function*() {
        yield* Effect.log(`creating ${email}`)
        yield* Effect.sleep(pace)
        if ((ids.get(email) ?? userId) !== userId) return yield* new EmailTaken({ email })
        ids.set(email, userId)
        return { userId }
      })
  })
}))

const AppLayer = Layer.merge(Worker.layer(handlers, { consumers: 2 }), ActionClient.layer).pipe(
  Layer.provide(Layer.merge(RedisLayer, QueueNamingLayer)),
  Layer.provide(SettingsLayer),
  Layer.provide(ConfigProvider.layerAdd(ConfigProvider.fromUnknown({ SERVICE_NAME: "user" })))
)

const app = Fastify({ logger: true })

// -----------------------------------------------------------------------------
// Ten lines worth copying. The worker starts before the first request and drains after the last. If it cannot start, the
// app does not start. If it fails later, the app ends.
// -----------------------------------------------------------------------------

const runtime = ManagedRuntime.make(AppLayer)
app.addHook("onReady", async () => {
  await runtime.context()
  runtime.runFork(Effect.tapError(Worker.join, () => Effect.sync(() => stop(1))))
})
app.addHook("onClose", () => runtime.dispose())
const stop = (status: number) => void app.close().finally(() => process.exit(status))
process.once("SIGTERM", () => stop(0)).once("SIGINT", () => stop(0))

// -----------------------------------------------------------------------------
// Routes: an effect in, status and body out. Other errors reject, and Fastify answers 500.
// -----------------------------------------------------------------------------

const createUser = Effect.fnUntraced(
  function*(body: unknown) {
    const client = yield* ActionClient.ActionClient
    const payload = yield* Schema.decodeUnknownEffect(CreateUser.payloadSchema)(body)
    return { status: 201, body: yield* client.request(CreateUser, payload) }
  },
  Effect.catchTags({
    SchemaError: ({ message }) => Effect.succeed({ status: 400, body: { message } }),
    EmailTaken: ({ email }) => Effect.succeed({ status: 409, body: { message: `${email} is taken` } })
  })
)

app.post("/users", async (request, reply) => {
  const { body, status } = await runtime.runPromise(createUser(request.body))
  return reply.code(status).send(body)
})

await app.listen({ port: Number(process.env["PORT"] ?? 3000) })
