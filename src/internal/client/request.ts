/** The call that sends an action and waits for its answer, in its own list or in the shared inbox. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Action from "../../Action.ts"
import type { RequestOptions } from "../../ActionClient.ts"
import { defaultLimits } from "../../DomainAction.ts"
import { QueueNaming } from "../../QueueNaming.ts"
import { Redis, type RedisError } from "../../Redis.ts"
import { Settings } from "../../Settings.ts"
import { Deadline, within } from "../base/deadline.ts"
import type { InvalidOption } from "../base/invalidOption.ts"
import { monotonicMillis } from "../base/monotonic.ts"
import { invalid } from "../base/options.ts"
import { Slot } from "../base/slot.ts"
import { uuid } from "../base/uuid.ts"
import { inbox, responseList } from "../redis/names.ts"
import { answerOf } from "./answer.ts"
import type { Writing } from "./append.ts"
import * as AskAlone from "./askAlone.ts"
import { type EncodeError, LaneFull, LaneHeld, type NotSupported, RequestTimeout } from "./errors.ts"
import * as Inboxes from "./inboxes.ts"
import type { LaneOf } from "./laneOf.ts"
import type { Later, Terms } from "./later.ts"
import { callRows } from "./options.ts"
import { actionIdOf, contextFor } from "./sending.ts"
import type { Streams, Target } from "./streams.ts"
import { requestMetrics, traced } from "./telemetry.ts"

/** Why an action did not go through its lane. */
type NotSent = EncodeError | InvalidOption | LaneFull | LaneHeld | NotSupported

/** `isShared`: one inbox for all answers, read from the first request on and removed with the scope. */
export const make = Effect.fnUntraced(function*(
  streams: Streams,
  writing: Writing,
  later: Later,
  lanes: LaneOf,
  isShared: boolean
) {
  const redis = yield* Redis
  const naming = yield* QueueNaming
  const { block: longest, payloadLimit, requestTimeout, serviceName: service } = yield* Settings
  const clock = yield* Clock.Clock
  const block = Math.max(1, Math.min(Duration.toMillis(longest), 60_000))
  /** The limits of an answer. */
  const limits = { ...defaultLimits, maxBytes: payloadLimit }

  const instance = uuid()
  const inboxes = yield* Inboxes.make({
    redis,
    keyOf: (answering) => inbox(naming, service, answering, instance),
    block,
    limits,
    onUnclaimed: () => unclaimed()
  }).pipe(Effect.annotateLogs({ service }))
  const { measured, unclaimed } = yield* requestMetrics(service, inboxes.waiting)
  const askAlone = AskAlone.make({ redis, block, limits })

  const requestMillis = Duration.toMillis(requestTimeout)
  const defaultTimeout = (deadline: number): Duration.Duration =>
    deadline === Number.POSITIVE_INFINITY
      ? requestTimeout
      : Duration.millis(within(deadline, monotonicMillis(clock), requestMillis))

  /** The time in a lane counts, so the deadline is in the entry. */
  const sendLaned = Effect.fnUntraced(function*(
    action: Action.Any,
    payload: unknown,
    target: Target,
    actionId: string,
    text: string,
    traceparent: string | undefined,
    millis: number,
    own: string | undefined
  ) {
    const { service } = target
    const laned = yield* lanes.of(action, payload, service)
    if (laned?.isSingle === true && own === `${target.stream}\0${laned.lane}`) {
      return yield* new LaneHeld({ actionType: action.type, service })
    }
    const terms: Terms = {
      when: "",
      expiresIn: Number.isFinite(millis) ? Math.ceil(millis) : undefined,
      unique: undefined,
      debounce: undefined
    }
    const [receipt] = yield* later.add(target, action.type, terms, {
      ids: [actionId],
      texts: [text],
      traceparent,
      laned: laned && { lanes: [laned.lane], rule: laned.rule }
    })
    if (receipt?._tag === "Duplicate") {
      return yield* new LaneFull({ actionType: action.type, service, actionIds: [actionId] })
    }
    return ""
  })

  const ask = (action: Action.Any, payload: unknown, options: RequestOptions) =>
    Effect.withFiber((fiber) => {
      const stream = streams.of(action.type, options.service)
      if (Exit.isFailure(stream)) return stream
      const timeout = options.timeout === undefined
        ? defaultTimeout(fiber.getRef(Deadline))
        : callRows.timeout.decode(options.timeout)
      if (timeout === undefined) return Effect.fail(invalid("timeout", callRows.timeout, options.timeout))
      const millis = Duration.toMillis(timeout)
      const correlationId = uuid()
      const id = actionIdOf(action.type, options.actionId)
      if (Exit.isFailure(id)) return id
      const actionId = id.value
      const answers = streams.namesFor<Inboxes.AnswerList>(
        action.type,
        options.service,
        isShared
          ? inboxes.of
          : () => ({ key: responseList(naming, service, action.type, correlationId), ask: undefined })
      )
      if (Exit.isFailure(answers)) return answers
      const { ask: askShared, key: list } = answers.value
      const context = contextFor(fiber, options)
      const late: Effect.Effect<never, NotSent | RequestTimeout> = Effect.suspend(() =>
        Effect.fail(new RequestTimeout({ actionType: action.type, actionId, correlationId, timeout }))
      )
      const asking = traced(
        { operation: "request", actionType: action.type, stream: stream.value.stream, actionId, count: 1 },
        (trace) => {
          const answer = { list, type: null, correlationId }
          const written = (millis: number) => {
            const limit = Number.isFinite(millis) ? millis : undefined
            return writing.write(action, payload, context, actionId, options, trace, answer, limit)
          }
          // SAFETY: what finds the lane of a payload runs in the context of the caller.
          const send = (text: string, millis: number): Effect.Effect<string, NotSent | RedisError> =>
            action.lane === undefined
              ? streams.add(stream.value.stream, text, trace)
              : sendLaned(
                action,
                payload,
                stream.value,
                actionId,
                text,
                trace,
                millis,
                fiber.getRef(Slot)?.lane
              ) as Effect.Effect<
                string,
                NotSent | RedisError
              >
          const alone = () => {
            const deadline = monotonicMillis(clock) + millis
            // Built when it can be sent, so that waiting for a connection does not shorten the handler's time.
            const sending = Effect.suspend(() => {
              const left = Math.max(1, Math.ceil(deadline - monotonicMillis(clock)))
              return Effect.flatMapEager(written(left), (text) => send(text, left))
            })
            return Effect.timeoutOrElse(askAlone(list, sending), { duration: timeout, orElse: () => late })
          }
          const response = askShared !== undefined
            ? Effect.flatMapEager(written(millis), (text) => askShared(correlationId, send(text, millis), millis, late))
            : alone()
          return Effect.flatMap(response, (response) => answerOf(action, response))
        }
      )
      const slot = fiber.getRef(Slot)
      return slot?.asks(stream.value.stream) === true
        ? Effect.ensuring(asking, Effect.sync(() => slot.answered()))
        : asking
    })

  return (action: Action.Any, payload: unknown, options: RequestOptions = {}) =>
    measured(action.type, ask(action, payload, options))
})
