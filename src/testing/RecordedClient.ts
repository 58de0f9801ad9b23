/**
 * A client that records what it sends, for tests of code that sends actions.
 *
 * Calls go through the real client into an in-memory Redis. Handlers can play the other services: they answer requests
 * like a real worker, typed errors included.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as ActionClient from "../ActionClient.ts"
import * as ActionGroup from "../ActionGroup.ts"
import * as DomainAction from "../DomainAction.ts"
import { debounce, park } from "../internal/scripts/park.ts"
import { append } from "../internal/scripts/streams.ts"
import * as QueueNaming from "../QueueNaming.ts"
import * as Redis from "../Redis.ts"
import * as RedisMemory from "../RedisMemory.ts"
import * as Settings from "../Settings.ts"
import * as Worker from "../Worker.ts"

/**
 * One action that was sent.
 *
 * @since 0.1.0
 * @category models
 */
export interface Sent {
  readonly stream: string
  readonly action: DomainAction.DomainAction
}

/**
 * The record of everything sent so far.
 *
 * @since 0.1.0
 * @category services
 */
export class RecordedClient extends Context.Service<RecordedClient, {
  readonly sent: Effect.Effect<ReadonlyArray<Sent>>
  /** Returns the recorded actions of one type. */
  readonly sentOf: (type: string) => Effect.Effect<ReadonlyArray<DomainAction.DomainAction>>
  readonly forget: Effect.Effect<void>
}>()("effect-redis-workers/testing/RecordedClient") {}

/**
 * Options of {@link layer}.
 *
 * @since 0.1.0
 * @category options
 */
export interface Options<H extends ActionGroup.AnyHandlers> {
  /** The service under test. Default: `test-service`. */
  readonly service?: string | undefined
  /** Handlers for the other services. Default: none, so requests get no answer. */
  readonly others?: (H & ActionGroup.Runnable<H>) | undefined
}

const naming = QueueNaming.make({ prefix: "test", environment: "test" })

interface Sending {
  readonly stream: string
  readonly texts: ReadonlyArray<string>
}

/** The scripts that send actions, and what their parameters send. */
const senders = new Map<unknown, (params: ReadonlyArray<unknown>) => Sending>([
  // SAFETY: each is asked only about calls of its own script, whose parameters have these types.
  [append.script, ([params]) => params as Sending],
  [park.script, ([params]) => params as Sending],
  [debounce.script, ([params]) => {
    const { stream, text } = params as { readonly stream: string; readonly text: string }
    return { stream, texts: [text] }
  }]
])

/** Records each message before it is appended to a stream. */
const recording = (
  redis: Redis.Redis["Service"],
  note: (stream: string, fields: ReadonlyArray<string>) => void
): Redis.Redis["Service"] => ({
  ...redis,
  send: (command, ...args) => {
    const [stream = "", , ...fields] = args
    return command === "XADD"
      ? Effect.tap(redis.send(command, ...args), () => Effect.sync(() => note(stream, fields)))
      : redis.send(command, ...args)
  },
  eval: (script) => {
    const run = redis.eval(script)
    const sends = senders.get(script)
    if (sends === undefined) return run
    return (...params) => {
      const { stream, texts } = sends(params)
      return Effect.tap(run(...params), () =>
        Effect.sync(() => {
          for (const text of texts) note(stream, ["data", text])
        }))
    }
  }
})

/**
 * A client that records, and the record.
 *
 * **Example** (What did my code send?)
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Action, ActionClient, ActionGroup } from "effect-redis-workers"
 * import { RecordedClient } from "effect-redis-workers/testing"
 *
 * const Welcome = Action.make("mail.welcome", { payload: { email: Schema.String }, success: { sent: Schema.Boolean } })
 * const others = ActionGroup.make(Welcome).handlers({ "mail.welcome": () => Effect.succeed({ sent: true }) })
 *
 * const program = Effect.gen(function*() {
 *   const client = yield* ActionClient.ActionClient
 *   yield* client.request(Welcome, { email: "ana@example.com" })
 *   const recorded = yield* RecordedClient.RecordedClient
 *   return yield* recorded.sentOf("mail.welcome")
 * }).pipe(Effect.provide(RecordedClient.layer({ others })))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <H extends ActionGroup.AnyHandlers = ActionGroup.Handlers>(
  options: Options<H> = {}
): Layer.Layer<
  ActionClient.ActionClient | RecordedClient,
  ActionGroup.BuildError<H> | Worker.WorkerError | Worker.InvalidOption,
  ActionGroup.Services<H>
> => {
  const made = Effect.gen(function*() {
    const sent: Array<Sent> = []
    const redis = yield* Redis.Redis
    if (options.others !== undefined) {
      const handlers = ActionGroup.toHandlers<H>(options.others)
      const services = new Set([...handlers.types].map((type) => naming.targetService(type)))
      for (const service of services) yield* Worker.start(handlers, { service })
    }
    const client = yield* ActionClient.make().pipe(
      Effect.provideService(
        Redis.Redis,
        recording(redis, (stream, fields) => {
          const action = DomainAction.parse(fields[fields.indexOf("data") + 1] ?? "")
          if (Result.isSuccess(action)) sent.push({ stream, action: action.success })
        })
      ),
      Effect.orDie
    )
    return Context.make(ActionClient.ActionClient, client).pipe(
      Context.add(RecordedClient, {
        sent: Effect.sync(() => [...sent]),
        sentOf: (type) =>
          Effect.sync(() => sent.map(({ action }) => action).filter((action) => action.action_type === type)),
        forget: Effect.sync(() => {
          sent.length = 0
        })
      })
    )
  })
  // SAFETY: Redis, names and settings are provided here, so only the services of the handlers remain.
  return Layer.effectContext(made).pipe(
    Layer.provide(Layer.mergeAll(RedisMemory.layer, QueueNaming.layerOf(naming))),
    Layer.provide(
      Layer.orDie(
        Settings.layerOf({ serviceName: options.service ?? "test-service", environment: "test", queuePrefix: "test" })
      )
    )
  ) as never
}
