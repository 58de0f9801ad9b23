/**
 * Runs handlers through the whole pipeline in memory, and returns what happened as values.
 *
 * The action is added to a stream of an in-memory Redis. A real worker reads, runs and settles it, and time advances
 * automatically, so retries, backoffs and timeouts take no real time. It needs neither a server nor a test library: use
 * it in `it.effect`, in plain vitest or in `node:test`.
 *
 * @since 0.1.0
 */
import * as Arbitrary from "effect/Arbitrary"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"
import * as Tracer from "effect/Tracer"
import type * as Action from "../Action.ts"
import * as ActionGroup from "../ActionGroup.ts"
import * as DeadLetter from "../DeadLetter.ts"
import * as DomainAction from "../DomainAction.ts"
import { codecOf } from "../internal/contract/codec.ts"
import { actionStream, callbackList, responseList } from "../internal/redis/names.ts"
import { spanRecorder } from "../internal/testing/spanRecorder.ts"
import { timestampOf } from "../internal/wire/timestamp.ts"
import { SettlementObserver } from "../internal/worker/observer.ts"
import { settledAs } from "../internal/worker/settled.ts"
import * as QueueNaming from "../QueueNaming.ts"
import * as Redis from "../Redis.ts"
import * as RedisMemory from "../RedisMemory.ts"
import * as Settings from "../Settings.ts"
import { isFinal, type Settlement } from "../Settlement.ts"
import * as Worker from "../Worker.ts"

// -----------------------------------------------------------------------------
// actions
// -----------------------------------------------------------------------------

/**
 * The parts of an action that a test sets besides its payload. Omitted parts are filled in.
 *
 * @since 0.1.0
 * @category options
 */
export interface ActionOptions {
  /** The answer that the caller expects. Default: `"response"`. */
  readonly expects?: "none" | "response" | { readonly callback: Action.Any } | undefined
  /** How long the caller of a request waits. Default: no limit. */
  readonly timeout?: Duration.Input | undefined
  /** Any other keys of the envelope. Default: none. */
  readonly envelope?: Partial<DomainAction.Input> | undefined
}

/**
 * Options of {@link actions}.
 *
 * @since 0.2.0
 * @category options
 */
export interface DrawOptions extends ActionOptions {
  /** The number of actions. Default: 10. */
  readonly count?: number | undefined
  /** The seed of the payloads. Default: 0. */
  readonly seed?: string | number | undefined
}

const anId = "00000000-0000-4000-8000-0000000000aa"
const client = "test-client"
const environment = "test"
const prefix = "test"
const naming = QueueNaming.make({ prefix, environment })

const answerList = responseList(naming, client, "test.answer", "test")
const listOfCallback = callbackList(naming, client, "test.callback", "test")

/**
 * Makes an action as a client would send it.
 *
 * **Example** (An action that expects a response)
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Action } from "effect-redis-workers"
 * import { TestWorker } from "effect-redis-workers/testing"
 *
 * const CreateUser = Action.make("user.create", { payload: { email: Schema.String } })
 *
 * const program = Effect.gen(function*() {
 *   const action = yield* TestWorker.action(CreateUser, { email: "ana@example.com" })
 *   console.log(action.data)
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const action = <A extends Action.Any>(
  contract: A,
  payload: Action.PayloadInput<A>,
  ...[given]: Action.OptionsOf<A, ActionOptions>
): Effect.Effect<DomainAction.DomainAction, never, Action.ClientServices<A>> => {
  const codec = codecOf(contract)
  // SAFETY: the options of a contract are these, plus its configs if it has any.
  const options: ActionOptions = given ?? {}
  const parts = Effect.all([codec.encodePayload(payload), codec.encodeConfigs(options as Action.ConfigsInput<A>)])
  return Effect.map(Effect.orDie(parts), ([data, configs]) => {
    const expects = options.expects ?? "response"
    return DomainAction.make({
      action_id: anId,
      action_type: contract.type,
      timestamp: timestampOf(0),
      correlation_id: expects === "none" ? null : anId,
      callback_queue_name: expects === "none" ? null : expects === "response" ? answerList : listOfCallback,
      callback_action_type: typeof expects === "string" ? null : expects.callback.type,
      metadata: options.timeout === undefined
        ? null
        : { timeout_ms: Duration.toMillis(Duration.fromInputUnsafe(options.timeout)) },
      data,
      ...configs,
      ...options.envelope
    })
  })
}

/**
 * Makes actions with payloads generated from the contract's schema. The same seed gives the same actions.
 *
 * @since 0.1.0
 * @category constructors
 */
export const actions = Effect.fnUntraced(function*<A extends Action.Any>(
  contract: A,
  ...given: Action.OptionsOf<A, DrawOptions>
) {
  // SAFETY: the options of a contract are these, plus its configs if it has any.
  const options: DrawOptions = given[0] ?? {}
  const payloads = yield* Effect.orDie(
    Arbitrary.sampleEffect(Arbitrary.schema(contract.payloadSchema), {
      count: options.count ?? 10,
      seed: options.seed ?? 0
    })
  )
  // SAFETY: drawn from the payload's own schema.
  return yield* Effect.forEach(
    payloads,
    (payload) => action(contract, payload as Action.PayloadInput<A>, ...(given as Action.OptionsOf<A, ActionOptions>))
  )
})

// -----------------------------------------------------------------------------
// deliver
// -----------------------------------------------------------------------------

/**
 * What happened to one action.
 *
 * @since 0.1.0
 * @category models
 */
export interface Report {
  /** The settlement that ended it, or the last one if it did not end within the limit. */
  readonly settlement: Settlement
  /** All settlements in order, for example a retry and then a reply. */
  readonly settlements: ReadonlyArray<Settlement>
  /**
   * How often it was started. Starts without a handler run count too, for example if the payload does not fit the
   * contract.
   */
  readonly attempts: number
  /** The response that the caller would get. */
  readonly response: Option.Option<DomainAction.DomainActionResponse>
  /** The callback that the caller would get. */
  readonly callback: Option.Option<DomainAction.DomainAction>
  readonly deadLetter: Option.Option<DeadLetter.Details>
  /** The spans that ended, including the worker's own. */
  readonly spans: ReadonlyArray<Tracer.Span>
  /** How long it took by the test's clock. */
  readonly elapsed: Duration.Duration
}

/**
 * Options of {@link deliver}.
 *
 * @since 0.1.0
 * @category options
 */
export interface Options extends Worker.WorkerOptions {
  /** How much time may pass on the test's clock. Default: 1 hour. */
  readonly within?: Duration.Input | undefined
}

/**
 * The action was not settled for good within the limit: its handler still runs, or it waits for another attempt.
 *
 * @since 0.1.0
 * @category errors
 */
export class NotSettled extends Schema.TaggedError<NotSettled>()("NotSettled", {
  settlements: Schema.Array(Schema.declare((u): u is Settlement => Predicate.hasProperty(u, "_tag"))),
  within: Schema.Duration
}) {
  override get message(): string {
    const last = this.settlements.at(-1)
    return `The action was not settled within ${Duration.format(this.within)}` +
      (last === undefined ? ": its handler did not end" : `: the last settlement was ${last._tag}`)
  }
}

/** Lets everything that is ready run, including real input and output of a handler. */
const settle = TestClock.withLive(Effect.sleep("1 millis"))

const firstStep = 1
const longestStep = Duration.toMillis("5 minutes")

/**
 * Delivers one action to handlers and waits until it is settled for good.
 *
 * **Details**
 *
 * Handlers use the test's clock: an `Effect.sleep`, a backoff and a timeout pass at once. Provide the services of the
 * handlers as you would to a worker.
 *
 * **Gotchas**
 *
 * A handler that waits for something real (a file, a database) takes real time, while the test's clock advances. Give
 * such a test no `handlerTimeout` shorter than a few minutes.
 *
 * **Example** (The caller gets the handler's error)
 *
 * ```ts
 * import { Effect, Option, Schema } from "effect"
 * import { Action, ActionGroup } from "effect-redis-workers"
 * import { TestWorker } from "effect-redis-workers/testing"
 *
 * class EmailTaken extends Schema.TaggedError<EmailTaken>()("EmailTaken", { email: Schema.String }) {}
 * const CreateUser = Action.make("user.create", { payload: { email: Schema.String }, error: EmailTaken })
 * const handlers = ActionGroup.make(CreateUser).handlers({
 *   "user.create": ({ email }) => Effect.fail(new EmailTaken({ email }))
 * })
 *
 * const program = Effect.gen(function*() {
 *   const report = yield* TestWorker.deliver(handlers, TestWorker.action(CreateUser, { email: "ana@example.com" }))
 *   console.log(report.settlement._tag) // Reject
 *   console.log(Option.getOrThrow(report.response).error?.error_type) // EmailTaken
 * })
 * ```
 *
 * @since 0.1.0
 * @category running
 */
export const deliver = <H extends ActionGroup.AnyHandlers, E = never, R = never>(
  handlers: H & ActionGroup.Runnable<H>,
  message: DomainAction.DomainAction | Effect.Effect<DomainAction.DomainAction, E, R>,
  options: Options = {}
): Effect.Effect<
  Report,
  E | NotSettled | Worker.WorkerError | Worker.InvalidOption | ActionGroup.BuildError<H>,
  R | ActionGroup.Services<H>
> =>
  // SAFETY: everything except the services of the handlers and the message is provided below.
  Effect.map(deliverAll(ActionGroup.toHandlers<H>(handlers), [message], options), (reports) => reports[0]) as never

/** Delivers messages one by one to the same worker, so that the second meets the state that the first left behind. */
const deliverAll = <HE, HR, E, R>(
  handlers: ActionGroup.Handlers<HE, HR>,
  messages: ReadonlyArray<DomainAction.DomainAction | Effect.Effect<DomainAction.DomainAction, E, R>>,
  options: Options
) => {
  const spans: Array<Tracer.Span> = []
  const settlements: Array<Settlement> = []
  const within = Duration.fromInputUnsafe(options.within ?? "1 hour")
  const limit = Duration.toMillis(within)
  let attempts = 0
  const observer: SettlementObserver = (decision, written) => {
    const settlement = settledAs(decision, written)
    settlements.push(settlement)
    if (decision.span !== undefined) attempts++
    if (isFinal(settlement)) Deferred.doneUnsafe(outcome, Exit.void)
  }
  const [anyType = "test.any"] = handlers.types
  const service = options.service ?? naming.targetService(anyType)

  /** The time on the test's clock since the action was sent, in milliseconds. */
  let passed = 0
  /** Done with the settlement that ends the action, or when its time is over. */
  let outcome = Deferred.makeUnsafe<void, NotSettled>()

  const one = Effect.fnUntraced(function*(message: DomainAction.DomainAction) {
    const redis = yield* Redis.Redis
    spans.length = 0
    settlements.length = 0
    attempts = 0
    passed = 0
    outcome = Deferred.makeUnsafe()
    const sentAt = yield* Clock.currentTimeMillis
    yield* Effect.orDie(redis.send("XADD", actionStream(naming, service), "*", "data", DomainAction.encode(message)))
    yield* Deferred.await(outcome)
    const elapsed = Duration.millis((yield* Clock.currentTimeMillis) - sentAt)
    const answers = yield* Effect.orDie(readAnswers)
    const letters = yield* DeadLetter.DeadLetter
    const { letters: [newest] } = yield* Effect.orDie(letters.list({ order: "newest", limit: 1 }))
    const buried = newest !== undefined && newest.actionId === message.action_id
    return {
      // The outcome is known by a settlement.
      settlement: settlements.at(-1)!,
      settlements: [...settlements],
      attempts,
      ...answers,
      deadLetter: buried ? Option.some(yield* Effect.orDie(letters.inspect(newest.id))) : Option.none(),
      spans: [...spans],
      elapsed
    } satisfies Report
  })

  const program = Effect.gen(function*() {
    yield* Worker.start(handlers, { callbacks: false, ...options, service })
    return yield* Effect.forEach(
      messages,
      (message) => Effect.flatMap(Effect.isEffect(message) ? message : Effect.succeed(message), one)
    )
  }).pipe(Effect.scoped)

  /** Advances the test's clock until the program has ended, including its drain. */
  const drive = Effect.fnUntraced(function*<A, PE>(fiber: Fiber.Fiber<A, PE>) {
    let seen = 0
    let step = firstStep
    while (true) {
      yield* settle
      if (fiber.pollUnsafe() !== undefined) return yield* Fiber.join(fiber)
      if (passed >= limit) Deferred.doneUnsafe(outcome, Exit.fail(new NotSettled({ settlements, within })))
      if (settlements.length !== seen) {
        seen = settlements.length
        step = firstStep
      }
      yield* TestClock.adjust(step)
      passed += step
      step = Math.min(step * 2, longestStep)
    }
  })

  return Effect.flatMap(Effect.forkChild(program), drive).pipe(
    Effect.provide(services(service)),
    Effect.provideService(SettlementObserver, observer),
    Effect.provideService(Tracer.Tracer, spanRecorder(spans)),
    Effect.provide(TestClock.layer())
  )
}

/** The test's own server, names and settings. */
const services = (service: string) =>
  DeadLetter.layerOptions({ service }).pipe(
    Layer.provideMerge(Layer.mergeAll(RedisMemory.layer, QueueNaming.layerOf(naming))),
    Layer.provideMerge(Settings.layerOf({ serviceName: service, environment, queuePrefix: prefix })),
    Layer.orDie
  )

const readAnswers = Effect.gen(function*() {
  const redis = yield* Redis.Redis
  const response = yield* redis.send<string | null>("RPOP", answerList)
  const callback = yield* redis.send<string | null>("RPOP", listOfCallback)
  return {
    response: response === null ? Option.none() : Result.getSuccess(DomainAction.parseResponse(response)),
    callback: callback === null ? Option.none() : Result.getSuccess(DomainAction.parse(callback))
  }
})

// -----------------------------------------------------------------------------
// idempotency
// -----------------------------------------------------------------------------

/**
 * A second delivery of the same action had a different result than the first.
 *
 * @since 0.1.0
 * @category errors
 */
export class NotIdempotent extends Schema.TaggedError<NotIdempotent>()("NotIdempotent", {
  /** What differs: the settlement, the answer, or the state. */
  what: Schema.Literals(["settlement", "answer", "state"]),
  first: Schema.Unknown,
  second: Schema.Unknown
}) {
  override get message(): string {
    return `A second delivery of the action changed the ${this.what}`
  }
}

/**
 * Delivers the same action twice, and fails with {@link NotIdempotent} unless the second delivery has the same
 * settlement and answer as the first. With `state`, the state afterwards must be the same too.
 *
 * **Details**
 *
 * Delivery is at least once, so every handler will see this eventually: after a crash between its effect and its
 * settlement.
 *
 * **Example** (A handler that counts twice)
 *
 * ```ts
 * import { Effect, Ref, Schema } from "effect"
 * import { Action, ActionGroup } from "effect-redis-workers"
 * import { TestWorker } from "effect-redis-workers/testing"
 *
 * const Pay = Action.make("bank.pay", { payload: { amount: Schema.Int } })
 *
 * const program = Effect.gen(function*() {
 *   const balance = yield* Ref.make(0)
 *   const handlers = ActionGroup.make(Pay).handlers({
 *     "bank.pay": ({ amount }) => Ref.update(balance, (sum) => sum + amount)
 *   })
 *   yield* TestWorker.assertIdempotent(handlers, TestWorker.action(Pay, { amount: 5 }), { state: Ref.get(balance) })
 * }) // fails: NotIdempotent { what: "state", first: 5, second: 10 }
 * ```
 *
 * @since 0.1.0
 * @category running
 */
export const assertIdempotent = <H extends ActionGroup.AnyHandlers, E = never, R = never, SE = never, SR = never>(
  handlers: H & ActionGroup.Runnable<H>,
  message: DomainAction.DomainAction | Effect.Effect<DomainAction.DomainAction, E, R>,
  options: Options & {
    /**
     * Reads the state that the handlers change. It is compared after the first and the second delivery. Default: not
     * compared.
     */
    readonly state?: Effect.Effect<unknown, SE, SR> | undefined
  } = {}
): Effect.Effect<
  void,
  E | SE | NotIdempotent | NotSettled | Worker.WorkerError | Worker.InvalidOption | ActionGroup.BuildError<H>,
  R | SR | ActionGroup.Services<H>
> => {
  const { state = Effect.void, ...rest } = options
  const states: Array<unknown> = []
  const fixed = Effect.isEffect(message) ? message : Effect.succeed(message)
  return Effect.gen(function*() {
    const action = yield* fixed
    // The state is read between the deliveries: before the second message is sent, and after it is settled.
    const again = Effect.as(Effect.flatMap(state, (value) => Effect.sync(() => states.push(value))), action)
    const [first, second] = yield* deliverAll(ActionGroup.toHandlers<H>(handlers), [action, again], rest)
    states.push(yield* state)
    yield* same("settlement", outline(first?.settlement), outline(second?.settlement))
    yield* same("answer", essence(first), essence(second))
    yield* same("state", states[0], states[1])
  })
}

const same = (what: NotIdempotent["what"], first: unknown, second: unknown) =>
  Equal.equals(first, second) ? Effect.void : Effect.fail(new NotIdempotent({ what, first, second }))

const outline = (settlement: Settlement | undefined) => settlement?._tag

/** An answer without the parts that are new in every answer. */
const essence = (report: Report | undefined) => ({
  response: Option.map(report?.response ?? Option.none(), ({ data, error, success }) => ({ data, error, success })),
  callback: Option.map(report?.callback ?? Option.none(), ({ action_type, data }) => ({ action_type, data }))
})
