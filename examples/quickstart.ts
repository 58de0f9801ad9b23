/**
 * The three ways to call a service, then a few thousand actions over several internal workers.
 *
 * `npm start` runs it in memory, or on the server in `REDIS_URL`. There it uses its own key prefix, and removes its keys at
 * the end.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import {
  Clock,
  Config,
  ConfigProvider,
  Console,
  Context,
  Deferred,
  Effect,
  Layer,
  Option,
  References,
  Schema
} from "effect"
import {
  Action,
  ActionClient,
  ActionGroup,
  type IoRedis,
  QueueNamingLayer,
  Redis,
  RedisLayer,
  RedisMemoryLayer,
  Settings,
  SettingsLayer,
  Worker
} from "effect-redis-workers"
import { styleText } from "node:util"

// -----------------------------------------------------------------------------
// Contracts: shared by the service that answers and the services that call it
// -----------------------------------------------------------------------------

class EmailTaken extends Schema.TaggedError<EmailTaken>()("EmailTaken", { email: Schema.String }) {}

const CreateUser = Action.make("user.create", {
  payload: { email: Schema.String },
  success: { userId: Schema.String },
  error: EmailTaken
})
const CountVisit = Action.make("user.visit", { payload: { page: Schema.String } })
const UserActions = ActionGroup.make(CreateUser, CountVisit)

const UserCreated = Action.make("signup.user_created", { payload: { userId: Schema.String } })
const SignupActions = ActionGroup.make(UserCreated)

// -----------------------------------------------------------------------------
// The service `user`: a repository, handlers, internal workers
// -----------------------------------------------------------------------------

class Users extends Context.Service<Users, {
  readonly create: (email: string) => Effect.Effect<string, EmailTaken>
}>()("quickstart/Users") {
  static readonly layer = Layer.sync(Users, () => {
    const ids = new Map<string, string>()
    return Users.of({
      create: Effect.fnUntraced(function*(email) {
        if (ids.has(email)) return yield* new EmailTaken({ email })
        const id = `user-${ids.size + 1}`
        ids.set(email, id)
        return id
      })
    })
  })
}

/** How many actions each internal worker has handled, by its name. */
type Tally = Map<string, number>

const userHandlers = (tally: Tally) =>
  UserActions.handlers(Effect.gen(function*() {
    const users = yield* Users
    const count = (consumer: string) =>
      Effect.sync(() => {
        const [name = consumer] = /internal-\d+/.exec(consumer) ?? []
        tally.set(name, (tally.get(name) ?? 0) + 1)
      })
    return UserActions.of({
      "user.create": ({ email }, { consumer }) =>
        users.create(email).pipe(Effect.map((userId) => ({ userId })), Effect.ensuring(count(consumer))),
      "user.visit": (_, { consumer }) => count(consumer)
    })
  }))

const startUserService = Effect.gen(function*() {
  const tally: Tally = new Map(["internal-0", "internal-1", "internal-2", "internal-3"].map((name) => [name, 0]))
  yield* Worker.start(userHandlers(tally), { service: "user", consumers: tally.size })
  return tally
})

// -----------------------------------------------------------------------------
// The service `signup`: the caller
// -----------------------------------------------------------------------------

const heading = (text: string) => Console.log(`\n${styleText("bold", text)}`)
const line = (left: string, right: string) => Console.log(`  ${left.padEnd(18)}${right}`)

const threeWaysToCall = Effect.gen(function*() {
  const client = yield* ActionClient.ActionClient
  yield* heading("Three ways to call a service")

  const receipt = yield* client.send(CountVisit, { page: "/" })
  yield* line("send", `user.visit is action ${receipt.actionId}; there is no answer`)

  const ana = { email: "ana@example.com" }
  const { userId } = yield* client.request(CreateUser, ana)
  yield* line("request", `user.create ${ana.email} → success: ${userId}`)

  const error = yield* client.request(CreateUser, ana).pipe(
    Effect.as("no error"),
    Effect.catchTag("EmailTaken", (error) => Effect.succeed(`${error._tag} (${error.email})`))
  )
  yield* line("request", `user.create ${ana.email} → error: ${error}`)

  const created = yield* Deferred.make<string>()
  yield* Worker.start(SignupActions.handlers({
    "signup.user_created": ({ userId }) => Effect.asVoid(Deferred.succeed(created, userId))
  }))
  yield* client.sendWithCallback(CreateUser, { email: "eva@example.com" }, { callback: UserCreated })
  yield* line(
    "sendWithCallback",
    `user.create eva@example.com → signup.user_created: ${yield* Deferred.await(created)}`
  )
})

const visits = Array.from({ length: 4000 }, (_, i) => ({ page: `/page/${i}` }))
const signups = Array.from({ length: 1000 }, (_, i) => ({ email: `user${i}@example.com` }))

const manyActions = Effect.fnUntraced(function*(tally: Tally) {
  const client = yield* ActionClient.ActionClient
  const total = visits.length + signups.length
  yield* heading(`${total} actions over ${tally.size} internal workers`)

  for (const name of tally.keys()) tally.set(name, 0)
  const handled = () => Array.from(tally.values()).reduce((sum, count) => sum + count, 0)
  const start = yield* Clock.currentTimeMillis
  const [, answers] = yield* Effect.all([
    client.sendMany(CountVisit, visits),
    Effect.forEach(signups, (signup) => client.request(CreateUser, signup), { concurrency: 250 }),
    watch(handled, total)
  ], { concurrency: "unbounded" })
  const seconds = ((yield* Clock.currentTimeMillis) - start) / 1000

  yield* line("throughput", `${Math.round(total / seconds)} actions a second, ${seconds.toFixed(2)} s in all`)
  for (const [name, count] of tally) yield* line(name, `${count} handled`)
  yield* line("answers", `${answers.length} of ${signups.length} requests`)
})

/** One line that a terminal shows in place, or a line for each fifth in a log. */
const watch = Effect.fnUntraced(function*(handled: () => number, total: number) {
  const terminal = process.stdout.isTTY
  let shown = 0
  while (shown < total) {
    yield* Effect.sleep("20 millis")
    const done = handled()
    if (done < total && done - shown < (terminal ? 1 : total / 5)) continue
    const bar = "█".repeat(done / total * 20).padEnd(20, "░")
    const text = `  ${"progress".padEnd(18)}${bar} ${done} of ${total}`
    process.stdout.write(terminal ? `${shown === 0 ? "" : "\r"}${text}${done < total ? "" : "\n"}` : `${text}\n`)
    shown = done
  }
})

// -----------------------------------------------------------------------------
// Layers and main
// -----------------------------------------------------------------------------

/** Own names in front, the rest (where Redis is, its password) from the environment. */
const OwnSettings = Layer.provide(
  SettingsLayer,
  ConfigProvider.layerAdd(
    ConfigProvider.fromUnknown({ SERVICE_NAME: "signup", QUEUE_PREFIX: `quickstart-${process.pid}-${Date.now()}` }),
    { asPrimary: true }
  )
)

/** Removes every key of the prefix when the program ends, however it ends. */
const Cleanup = Layer.effectDiscard(Effect.gen(function*() {
  const redis = yield* Redis.Redis
  const { queuePrefix } = yield* Settings.Settings
  yield* Effect.addFinalizer(() =>
    Effect.gen(function*() {
      let cursor = "0"
      do {
        const reply = yield* redis.send<[string, Array<string>]>("SCAN", cursor, "MATCH", `${queuePrefix}:*`)
        if (reply[1].length > 0) yield* redis.send("DEL", ...reply[1])
        cursor = reply[0]
      } while (cursor !== "0")
    }).pipe(Effect.ignore)
  )
}))

const Server: Layer.Layer<Redis.Redis, IoRedis.RedisStartError, Settings.Settings> = Layer.provideMerge(
  Cleanup,
  RedisLayer
)

const Backend = Layer.unwrap(Effect.gen(function*() {
  const onServer = Option.isSome(yield* Config.option(Config.String("REDIS_URL")))
  yield* Console.log(`effect-redis-workers, ${onServer ? "on the server that REDIS_URL names" : "in memory"}`)
  return onServer ? Server : RedisMemoryLayer
}))

const AppLayer = Layer.merge(ActionClient.layer, Users.layer).pipe(
  Layer.provideMerge(Layer.merge(Backend, QueueNamingLayer)),
  Layer.provideMerge(OwnSettings)
)

const main = Effect.gen(function*() {
  const tally = yield* startUserService
  yield* threeWaysToCall
  yield* manyActions(tally)
}).pipe(
  Effect.scoped,
  Effect.provide(AppLayer),
  // Without the lines in which workers log that they start and drain.
  Effect.provideService(References.MinimumLogLevel, "Warn")
)

NodeRuntime.runMain(main)
