/**
 * A service `user` whose handlers do what the message asks for, and what there is to see of it afterwards.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { randomUUID } from "node:crypto"
import * as Action from "../../src/Action.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import type { Delivery } from "../../src/Delivery.ts"
import * as DomainAction from "../../src/DomainAction.ts"
import { Rejected, RetryLater } from "../../src/HandlerError.ts"
import { callbackList, responseList } from "../../src/internal/redis/names.ts"
import { QueueNaming } from "../../src/QueueNaming.ts"
import * as Worker from "../../src/Worker.ts"
import { eventually, Place, send, view } from "./layers.ts"

// -----------------------------------------------------------------------------
// contracts
// -----------------------------------------------------------------------------

class EmailTaken extends Schema.TaggedError<EmailTaken>()("EmailTaken", { email: Schema.String }) {}

class Busy extends Schema.TaggedError<Busy>()("Busy", {}, Action.disposition("retryable")) {}

/** What a caller gets when the import of a user fails for good. */
const ImportFailed = Action.make("client.import_failed", {
  payload: {
    error_type: Schema.String,
    error_code: Schema.NullOr(Schema.String),
    message: Schema.String,
    details: Schema.Unknown
  }
})

const contract = {
  payload: { does: Schema.String },
  success: { userId: Schema.String },
  error: Schema.Union([EmailTaken, Busy])
}

const CreateUser = Action.make("user.create", contract)
const ImportUser = Action.make("user.import", { ...contract, failureAction: ImportFailed })
const QuickUser = Action.make("user.quick", { ...contract, maxAttempts: 1, handlerTimeout: "30 millis" })

const UserActions = ActionGroup.make(CreateUser, ImportUser, QuickUser)

// -----------------------------------------------------------------------------
// handlers
// -----------------------------------------------------------------------------

interface Runs {
  /** What was run: `does`, with the attempt. */
  readonly runs: Array<string>
  readonly deliveries: Array<Delivery>
  readonly interrupted: Array<string>
}

const bad = (email: unknown) => {
  const error = new EmailTaken({ email: "x" })
  Object.defineProperty(error, "email", { value: email })
  return error
}

const act = (
  does: string,
  delivery: Delivery
): Effect.Effect<{ readonly userId: string }, EmailTaken | Busy | RetryLater | Rejected> => {
  switch (does) {
    case "taken":
      return Effect.fail(new EmailTaken({ email: "a@b.c" }))
    case "reject":
      return Effect.fail(new Rejected({ message: "no such user", errorType: "NotFound", errorCode: "NO_USER" }))
    case "busy":
      return Effect.fail(new Busy())
    case "later":
      return Effect.fail(new RetryLater())
    case "die":
      return Effect.die(new Error("no such table"))
    case "throw":
      throw new Error("thrown")
    case "hang":
      return Effect.never
    case "wrong success":
      // SAFETY: what a handler without types, or with a cast, could give back.
      return Effect.succeed({ userId: 1 as unknown as string })
    case "wrong error":
      return Effect.fail(bad(1))
    default: {
      const [first, times] = does.split(" until ")
      return times !== undefined && delivery.attempt < Number(times)
        ? act(first ?? "", delivery)
        : Effect.succeed({ userId: `u${delivery.attempt}` })
    }
  }
}

/** Handlers that note what they ran. */
const makeHandlers = () => {
  const seen: Runs = { runs: [], deliveries: [], interrupted: [] }
  const handler = ({ does }: { readonly does: string }, delivery: Delivery) => {
    seen.runs.push(`${does} ${delivery.attempt}`)
    seen.deliveries.push(delivery)
    return Effect.onInterrupt(Effect.suspend(() => act(does, delivery)), () =>
      Effect.sync(() => {
        seen.interrupted.push(does)
      }))
  }
  return {
    seen,
    handlers: UserActions.handlers({ "user.create": handler, "user.import": handler, "user.quick": handler })
  }
}

/** Short waits, so that the same test runs in real time too. */
export const quick = {
  block: "200 millis",
  claimIdle: "400 millis",
  shutdownGrace: 0,
  unknownFor: "400 millis",
  retry: Schedule.spaced("15 millis")
} satisfies Worker.WorkerOptions

/** Starts a worker whose handlers do what messages say; it drains with the test. */
export const startWorker = (options: Worker.WorkerOptions = {}) =>
  Effect.gen(function*() {
    const { handlers, seen } = makeHandlers()
    const worker = yield* Worker.start(handlers, { ...quick, ...options })
    return { worker, seen }
  })

// -----------------------------------------------------------------------------
// messages
// -----------------------------------------------------------------------------

export type Expectation = "none" | "response" | "callback"

export const expectations = ["none", "response", "callback"] as const

export interface Sent {
  readonly id: string
  readonly action: DomainAction.DomainAction
  /** Where the answer goes. */
  readonly list: string
}

/** Adds an action to the stream, as a client does. */
export const sendAction = (does: string, options: {
  readonly expectation?: Expectation
  readonly type?: string
  readonly data?: DomainAction.DomainAction["data"]
  readonly metadata?: DomainAction.DomainAction["metadata"]
  readonly list?: string
} = {}) =>
  Effect.gen(function*() {
    const { names } = yield* Place
    const naming = yield* QueueNaming
    const expectation = options.expectation ?? "none"
    const correlation = randomUUID()
    const list = options.list ?? (expectation === "callback"
      ? callbackList(naming, "client", "client.created", correlation)
      : responseList(naming, "client", "user.create", correlation))
    const action = DomainAction.make({
      action_id: randomUUID(),
      action_type: options.type ?? "user.create",
      timestamp: "2025-06-29T04:03:00.123456Z",
      tenant_id: randomUUID(),
      task_id: randomUUID(),
      session_id: randomUUID(),
      trace_id: randomUUID(),
      correlation_id: correlation,
      origin_service: "client",
      callback_queue_name: expectation === "none" ? null : list,
      callback_action_type: expectation === "callback" ? "client.created" : null,
      data: options.data ?? { does },
      metadata: options.metadata ?? null
    })
    const id = yield* send<string>("XADD", names.stream, "*", "data", DomainAction.encode(action))
    return { id, action, list } satisfies Sent
  })

// -----------------------------------------------------------------------------
// what became of it
// -----------------------------------------------------------------------------

/** What lies in the list of a message, oldest first. */
export const answersOf = (sent: Pick<Sent, "list">) =>
  Effect.map(
    send<ReadonlyArray<string>>("LRANGE", sent.list, 0, -1),
    (texts) => texts.toReversed().map((text): unknown => JSON.parse(text))
  )

const show = (answer: unknown): string => {
  // SAFETY: only what a worker wrote is shown; its shape is checked by tests of the wire.
  const json = answer as {
    readonly success?: boolean
    readonly action_type: string
    readonly data: unknown
    readonly error?: { readonly error_code: string } | null
  }
  if (json.success === undefined) return `${json.action_type} ${JSON.stringify(json.data)}`
  return json.success ? `response ${JSON.stringify(json.data)}` : `error ${json.error?.error_code}`
}

/** The dead letters as objects: notes, then the entry's own fields as `original`. */
export const deadLetters = Effect.flatMap(view, (view) => view.deadLetters)

/** Answers and dead letters in short, oldest first. */
export const effects = (sent: Pick<Sent, "list">) =>
  Effect.gen(function*() {
    const letters = yield* deadLetters
    return [
      ...(yield* answersOf(sent)).map(show),
      ...letters.map(({ notes }) => `dead ${notes["reason"]} ${notes["error_code"] ?? ""}`.trim())
    ]
  })

/** Waits until nothing is pending and nothing is left to read. */
export const settled = Effect.gen(function*() {
  const { names } = yield* Place
  yield* eventually(
    "all is settled",
    Effect.gen(function*() {
      const [row] = yield* send<ReadonlyArray<ReadonlyArray<string | number | null>>>("XINFO", "GROUPS", names.stream)
      const pending = yield* (yield* view).pendingCount
      const lastRead = String(row?.[row.indexOf("last-delivered-id") + 1])
      const newest = yield* send<ReadonlyArray<readonly [string]>>("XREVRANGE", names.stream, "+", "-", "COUNT", 1)
      const onItsWay = yield* send<number>("XLEN", names.outbound)
      return pending === 0 && onItsWay === 0 && (newest[0] === undefined || newest[0][0] === lastRead)
    })
  )
})

/** Keys that a worker leaves behind once all is settled: none for retries. */
export const leftovers = Effect.gen(function*() {
  const { length, pendingCount, retries } = yield* view
  return { stream: yield* length, pending: yield* pendingCount, retries: yield* retries }
})

export const nothingLeft = { stream: 0, pending: 0, retries: 0 }
