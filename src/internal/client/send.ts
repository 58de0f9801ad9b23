/** The calls that append actions without waiting for an answer. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Action from "../../Action.ts"
import type { SendManyOptions, SendOptions } from "../../ActionClient.ts"
import * as ActionContext from "../../ActionContext.ts"
import type { DomainAction } from "../../DomainAction.ts"
import type { QueueNaming } from "../../QueueNaming.ts"
import type { Redis } from "../../Redis.ts"
import { exitOf } from "../base/exit.ts"
import { uuid } from "../base/uuid.ts"
import { callbackInbox } from "../redis/names.ts"
import { strings } from "../redis/reply.ts"
import { bytesOf, Load, scriptWords } from "../scripts/bounds.ts"
import { append } from "../scripts/streams.ts"
import type { AnswerTarget, Writing } from "./append.ts"
import { EncodeError, InvalidAction } from "./errors.ts"
import type { Streams } from "./streams.ts"
import { traced } from "./telemetry.ts"

export interface SendingOptions {
  readonly redis: Redis["Service"]
  readonly naming: QueueNaming["Service"]
  readonly streams: Streams
  readonly writing: Writing
  /** The maximum number of actions that one call appends. */
  readonly chunkSize: number
}

/** The target of a callback. */
interface CallbackTarget {
  readonly action: Action.Any
  readonly to?: "list" | "stream" | undefined
  readonly service?: string | undefined
}

/** Words of a call of the script that appends nothing: the key and the trace context. */
const appendWords = scriptWords + 2

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

export const make = ({ chunkSize, naming, redis, streams, writing }: SendingOptions) => {
  const appendMany = redis.eval(append.script)

  /** Sends one action, with or without a callback. */
  const sendOne = (action: Action.Any, payload: unknown, options: SendOptions, answer?: AnswerTarget) =>
    Effect.withFiber((fiber) => {
      const stream = streams.of(action.type, options.service)
      if (Exit.isFailure(stream)) return stream
      const actionId = options.actionId ?? uuid()
      const context = contextFor(fiber, options)
      return traced(
        { operation: "send", actionType: action.type, stream: stream.value, actionId, count: 1 },
        (trace) =>
          Effect.flatMapEager(
            writing.write(action, payload, context, actionId, options, trace, answer),
            (text) => streams.add(stream.value, text, trace)
          )
      )
    })

  /** Splits texts into chunks for one call each. */
  const writeChunks = Effect.fnUntraced(function*(count: number, write: (index: number) => Written) {
    const chunks: Array<ReadonlyArray<string>> = []
    let chunk: Array<string> = []
    let load = new Load(appendWords)
    for (let index = 0; index < count; index++) {
      const text = write(index)
      const exit = exitOf(text)
      const data = exit !== undefined && Exit.isSuccess(exit) ? exit.value : yield* text
      const bytes = bytesOf(data)
      const fits = chunk.length < chunkSize && load.add(1, bytes)
      if (!fits || chunk.length === 0) {
        chunk = []
        chunks.push(chunk)
        if (!fits) {
          load = new Load(appendWords)
          load.add(1, bytes)
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
    const stream = yield* streams.of(action.type, options.service)
    const context = yield* Effect.withFiber((fiber) => Effect.succeed(contextFor(fiber, options)))
    const all = [...payloads]
    const { actionIds } = options
    if (actionIds !== undefined && actionIds.length !== all.length) {
      const message =
        `The option actionIds has ${actionIds.length} ids for ${all.length} payloads: expected one for each`
      return yield* new EncodeError({ actionType: action.type, reason: new InvalidAction({ message }) })
    }
    return yield* traced(
      { operation: "send", actionType: action.type, stream, actionId: undefined, count: all.length },
      Effect.fnUntraced(function*(trace) {
        const chunks = yield* writeChunks(
          all.length,
          (index) => writing.write(action, all[index], context, actionIds?.[index] ?? uuid(), options, trace)
        )
        const appendChunks = Effect.forEach(
          (texts: ReadonlyArray<string>) =>
            Effect.mapError(appendMany({ stream, texts, traceparent: trace }), streams.explained(stream)),
          { concurrency: chunksAtOnce }
        )
        // The first chunk goes alone, since the server may not have the script yet: the next chunk would overtake it.
        const first = yield* appendChunks(chunks.slice(0, 1))
        const others = yield* appendChunks(chunks.slice(1))
        return [...first, ...others].flatMap(strings)
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
      (service) => target.to === "stream" ? streams.ofService(service) : callbackInbox(naming, service, type)
    )
    return Exit.isFailure(list)
      ? list
      : sendOne(action, payload, options, { list: list.value, type, correlationId: options.correlationId ?? uuid() })
  }

  const sendAction = Effect.fnUntraced(function*(envelope: DomainAction, options: Pick<SendOptions, "service"> = {}) {
    const stream = yield* streams.of(envelope.action_type, options.service)
    return yield* traced(
      { operation: "send", actionType: envelope.action_type, stream, actionId: envelope.action_id, count: 1 },
      (trace) => Effect.flatMapEager(writing.refill(envelope, trace), (text) => streams.add(stream, text, trace))
    )
  })

  return {
    send: (action: Action.Any, payload: unknown, options: SendOptions = {}) => sendOne(action, payload, options),
    sendMany,
    sendWithCallback,
    sendAction
  }
}

type Written = ReturnType<Writing["write"]>
