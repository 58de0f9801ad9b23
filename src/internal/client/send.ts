/** The calls that append actions without waiting for an answer. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Action from "../../Action.ts"
import type { SendManyOptions, SendOptions, Target as SentTarget, When } from "../../ActionClient.ts"
import * as ActionContext from "../../ActionContext.ts"
import * as ActionId from "../../ActionId.ts"
import type { DomainAction } from "../../DomainAction.ts"
import type { QueueNaming } from "../../QueueNaming.ts"
import type { Receipt } from "../../Receipt.ts"
import type { Redis, RedisError } from "../../Redis.ts"
import { exitOf } from "../base/exit.ts"
import { InvalidOption } from "../base/invalidOption.ts"
import { uuid } from "../base/uuid.ts"
import { callbackInbox } from "../redis/names.ts"
import { strings } from "../redis/reply.ts"
import { bytesOf, Load, scriptWords } from "../scripts/bounds.ts"
import { append } from "../scripts/streams.ts"
import type { AnswerTarget, Writing } from "./append.ts"
import type { EncodeError, LaneFull, NotSupported } from "./errors.ts"
import type { Laned, LaneOf } from "./laneOf.ts"
import { isPlain, type Later } from "./later.ts"
import type { Streams, Target } from "./streams.ts"
import { traced } from "./telemetry.ts"

type SendFailure = EncodeError | InvalidOption | LaneFull | NotSupported | RedisError

export interface SendingOptions {
  readonly redis: Redis["Service"]
  readonly naming: QueueNaming["Service"]
  readonly streams: Streams
  readonly writing: Writing
  readonly later: Later
  readonly lanes: LaneOf
  /** The maximum number of actions that one call appends. */
  readonly chunkSize: number
}

/** The target of a callback. */
interface CallbackTarget {
  readonly action: Action.Any
  readonly to?: "list" | "stream" | undefined
  readonly service?: string | undefined
}

/** Texts of one call, and the place of the first among all. */
interface Chunk {
  readonly from: number
  readonly texts: ReadonlyArray<string>
}

/** Words of a call that appends nothing: the keys, and what is the same for all actions. */
const appendWords = scriptWords + 18

/** The number of chunks of `sendMany` in flight: the server appends one while the next is sent. */
const chunksAtOnce = 2

/** The context of a call: that of the caller's fiber, overridden by the options of the call. */
export const contextFor = (
  fiber: Fiber.Fiber<unknown, unknown>,
  { context: over }: Pick<SendOptions, "context">
): ActionContext.ActionContext => {
  const context = fiber.getRef(ActionContext.ActionContext)
  return over === undefined ? context : ActionContext.merge(context, over)
}

/** The id of an action: the caller's own as a UUID, or a new one. */
export const actionIdOf = (actionType: string, own: string | undefined): Exit.Exit<string, InvalidOption> => {
  if (own === undefined) return Exit.succeed(uuid())
  const id = ActionId.from(actionType, own)
  return id._tag === "Success" ? Exit.succeed(id.success) : Exit.fail(id.failure)
}

/** The options of a call with the key of the contract. The caller's own key comes first. */
const keyed = (action: Action.Any, payload: unknown, options: SendOptions): SendOptions =>
  options.unique !== undefined || options.debounce !== undefined
    ? options
    // SAFETY: the caller's payload is that of this contract.
    : { ...options, unique: action.unique!(payload as never) }

const sent = ({ service, stream }: Target, actionId: string, entryId: string): Receipt => ({
  _tag: "Sent",
  actionId,
  service,
  stream,
  entryId
})

export const make = ({ chunkSize, lanes, later, naming, redis, streams, writing }: SendingOptions) => {
  const appendMany = redis.eval(append.script)

  const sendLater = Effect.fnUntraced(function*(
    target: Target,
    actionType: string,
    actionId: string,
    options: SendOptions,
    text: string,
    traceparent: string | undefined,
    laned?: Laned
  ) {
    const terms = yield* later.terms(options)
    const [receipt] = yield* later.add(target, actionType, terms, {
      ids: [actionId],
      texts: [text],
      traceparent,
      laned: laned && { lanes: [laned.lane], rule: laned.rule }
    })
    return receipt!
  })

  /** The lane is that of a payload that fits the contract. */
  const sendLaned = Effect.fnUntraced(function*(
    action: Action.Any,
    payload: unknown,
    target: Target,
    actionId: string,
    options: SendOptions,
    text: string,
    traceparent: string | undefined
  ) {
    const laned = yield* lanes.of(action, payload, target.service)
    return yield* sendLater(target, action.type, actionId, options, text, traceparent, laned)
  })

  /** Sends one action, with or without a callback. */
  const sendOne = (action: Action.Any, payload: unknown, given: SendOptions, answer?: AnswerTarget) =>
    Effect.withFiber((fiber): Effect.Effect<Receipt, SendFailure, unknown> => {
      const options = action.unique !== undefined && answer === undefined ? keyed(action, payload, given) : given
      const target = streams.of(action.type, options.service)
      if (Exit.isFailure(target)) return Effect.failCause(target.cause)
      const id = actionIdOf(action.type, options.actionId)
      if (Exit.isFailure(id)) return Effect.failCause(id.cause)
      const { stream } = target.value
      const actionId = id.value
      const context = contextFor(fiber, options)
      return traced(
        { operation: "send", actionType: action.type, stream, actionId, count: 1 },
        (trace) =>
          Effect.flatMapEager(
            writing.write(action, payload, context, actionId, options, trace, answer),
            (text) =>
              action.lane !== undefined
                ? sendLaned(action, payload, target.value, actionId, options, text, trace)
                : isPlain(options)
                ? Effect.map(streams.add(stream, text, trace), (entryId) => sent(target.value, actionId, entryId))
                : sendLater(target.value, action.type, actionId, options, text, trace)
          )
      )
    })

  /** Splits texts into chunks for one call each. */
  const writeChunks = Effect.fnUntraced(function*(
    count: number,
    words: number,
    write: (index: number) => Written
  ) {
    const chunks: Array<Chunk> = []
    let chunk: Array<string> = []
    let load = new Load(appendWords)
    for (let index = 0; index < count; index++) {
      const text = write(index)
      const exit = exitOf(text)
      const data = exit !== undefined && Exit.isSuccess(exit) ? exit.value : yield* text
      const bytes = bytesOf(data)
      const fits = chunk.length < chunkSize && load.add(words, bytes)
      if (!fits || chunk.length === 0) {
        chunk = []
        chunks.push({ from: index, texts: chunk })
        if (!fits) {
          load = new Load(appendWords)
          load.add(words, bytes)
        }
      }
      chunk.push(data)
    }
    return chunks
  })

  const sendMany = Effect.fnUntraced(function*(
    action: Action.Any,
    payloads: Iterable<unknown>,
    options: SendManyOptions = {}
  ) {
    const target = yield* streams.of(action.type, options.service)
    const { stream } = target
    const context = yield* Effect.withFiber((fiber) => Effect.succeed(contextFor(fiber, options)))
    const all = [...payloads]
    const { actionIds } = options
    if (actionIds !== undefined && actionIds.length !== all.length) {
      return yield* new InvalidOption({
        option: "actionIds",
        found: `a list of ${actionIds.length}`,
        expected: `one id for each of the ${all.length} payloads`
      })
    }
    const ids: Array<string> = []
    for (let index = 0; index < all.length; index++) {
      ids.push(yield* actionIdOf(action.type, actionIds?.[index]))
    }
    const isLaned = action.lane !== undefined
    const terms = isPlain(options) && !isLaned ? undefined : yield* later.terms(options)
    const laned: Array<Laned> = []
    return yield* traced(
      { operation: "send", actionType: action.type, stream, actionId: undefined, count: all.length },
      Effect.fnUntraced(function*(trace) {
        const chunks = yield* writeChunks(
          all.length,
          // A parked action needs its id as well, and one with a lane the lane.
          terms === undefined ? 1 : isLaned ? 3 : 2,
          (index) => writing.write(action, all[index], context, ids[index]!, options, trace)
        )
        if (isLaned) {
          for (const payload of all) {
            const lane = yield* lanes.of(action, payload, target.service)
            if (lane !== undefined) laned.push(lane)
          }
        }
        const append = ({ from, texts }: Chunk) =>
          Effect.map(
            appendMany({ stream, texts, traceparent: trace }),
            (reply) => strings(reply).map((entryId, index) => sent(target, ids[from + index]!, entryId))
          )
        const park = ({ from, texts }: Chunk) => {
          const to = from + texts.length
          const written = {
            ids: ids.slice(from, to),
            texts,
            traceparent: trace,
            laned: laned[0] && { lanes: laned.slice(from, to).map(({ lane }) => lane), rule: laned[0].rule }
          }
          return later.add(target, action.type, terms!, written)
        }
        const appendChunks = Effect.forEach(
          (chunk: Chunk) =>
            terms === undefined ? Effect.mapError(append(chunk), streams.explained(stream)) : park(chunk),
          // The order of a lane is that of the chunks.
          { concurrency: isLaned ? 1 : chunksAtOnce }
        )
        // The first chunk goes alone, since the server may not have the script yet: the next chunk would overtake it.
        const first = yield* appendChunks(chunks.slice(0, 1))
        const others = yield* appendChunks(chunks.slice(1))
        return [...first, ...others].flat()
      })
    )
  })

  const sendWithCallback = (
    action: Action.Any,
    payload: unknown,
    options: SendOptions & { readonly callback: Action.Any | CallbackTarget }
  ) => {
    const target: CallbackTarget = Action.isAction(options.callback) ? { action: options.callback } : options.callback
    const { type } = target.action
    const list = streams.namesFor(
      type,
      target.service,
      (service) => target.to === "stream" ? streams.ofService(service).stream : callbackInbox(naming, service, type)
    )
    return Exit.isFailure(list)
      ? list
      : sendOne(action, payload, options, { list: list.value, type, correlationId: options.correlationId ?? uuid() })
  }

  const sendAction = Effect.fnUntraced(function*(envelope: DomainAction, options: Pick<SendOptions, "service"> = {}) {
    const target = yield* streams.of(envelope.action_type, options.service)
    const { stream } = target
    return yield* traced(
      { operation: "send", actionType: envelope.action_type, stream, actionId: envelope.action_id, count: 1 },
      (trace) =>
        Effect.flatMapEager(
          writing.refill(envelope, trace),
          (text) =>
            Effect.map(
              streams.add(stream, text, trace),
              (entryId) => sent(target, envelope.action_id.toLowerCase(), entryId)
            )
        )
    )
  })

  return {
    send: (action: Action.Any, payload: unknown, options: SendOptions = {}) => sendOne(action, payload, options),
    sendMany,
    sendWithCallback,
    sendAction,
    reschedule: Effect.fnUntraced(function*({ actionId, service }: SentTarget, when: When) {
      const target = yield* streams.of("", service)
      return yield* later.reschedule(target, actionId.toLowerCase(), when)
    }),
    remove: Effect.fnUntraced(function*({ actionId, service }: SentTarget) {
      const target = yield* streams.of("", service)
      return yield* later.remove(target, actionId.toLowerCase())
    })
  }
}

type Written = ReturnType<Writing["write"]>
