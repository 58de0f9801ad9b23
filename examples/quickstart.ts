/**
 * The three ways of asking, then a few thousand actions over several internal workers.
 *
 * Runs in memory; with `REDIS_URL` set on that server, under a key prefix of its own that it removes at the end.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Clock, Config, ConfigProvider, Console, Context, Deferred, Effect, Layer, Option, Schema } from "effect"
import { styleText } from "node:util"
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
} from "../src/index.ts"

// -----------------------------------------------------------------------------
// Contracts: shared by the service that answers and by those that ask
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

interface Tally {
  readonly name: string
  handled: number
}

const userHandlers = (tally: Tally) =>
  UserActions.handlers(Effect.gen(function*() {
    const users = yield* Users
    const count = Effect.sync(() => {
      tally.handled += 1
    })
    return {
      "user.create": ({ email }) =>
        users.create(email).pipe(Effect.map((userId) => ({ userId })), Effect.ensuring(count)),
      "user.visit": () => count
    }
  }))

const startUserService = Effect.forEach(["internal-0", "internal-1", "internal-2", "internal-3"], (name) => {
  const tally: Tally = { name, handled: 0 }
  return Effect.as(Worker.start(userHandlers(tally), { service: "user", consumerSuffix: name }), tally)
})

// -----------------------------------------------------------------------------
// The service `signup`: it asks
// -----------------------------------------------------------------------------

const heading = (text: string) => Console.log(`\n${styleText("bold", text)}`)
const line = (left: string, right: string) => Console.log(`  ${left.padEnd(18)}${right}`)

const threeWaysOfAsking = Effect.gen(function*() {
  const client = yield* ActionClient.ActionClient
  yield* heading("Three ways of asking")

  const entry = yield* client.send(CountVisit, { page: "/" })
  yield* line("send", `user.visit is entry ${entry} of the stream; nobody answers`)

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

const manyActions = Effect.fnUntraced(function*(tallies: ReadonlyArray<Tally>) {
  const client = yield* ActionClient.ActionClient
  const total = visits.length + signups.length
  yield* heading(`${total} actions over ${tallies.length} internal workers`)

  for (const tally of tallies) tally.handled = 0
  const handled = () => tallies.reduce((sum, tally) => sum + tally.handled, 0)
  const start = yield* Clock.currentTimeMillis
  const [, answers] = yield* Effect.all([
    client.sendMany(CountVisit, visits),
    Effect.forEach(signups, (signup) => client.request(CreateUser, signup), { concurrency: 250 }),
    watch(handled, total)
  ], { concurrency: "unbounded" })
  const seconds = ((yield* Clock.currentTimeMillis) - start) / 1000

  yield* line("throughput", `${Math.round(total / seconds)} actions a second, ${seconds.toFixed(2)} s in all`)
  for (const tally of tallies) yield* line(tally.name, `${tally.handled} handled`)
  yield* line("answers", `${answers.length} of ${signups.length} requests`)
})

/** One line that is written anew on a terminal, a line for each fifth in a log. */
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
  const tallies = yield* startUserService
  yield* threeWaysOfAsking
  yield* manyActions(tallies)
}).pipe(Effect.scoped, Effect.provide(AppLayer))

NodeRuntime.runMain(main)
