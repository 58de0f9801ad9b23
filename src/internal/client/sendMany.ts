/** Sends many actions with few calls. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Action from "../../Action.ts"
import type { SendManyOptions } from "../../ActionClient.ts"
import { exitOf } from "../base/exit.ts"
import { InvalidOption } from "../base/invalidOption.ts"
import { strings } from "../redis/reply.ts"
import { bytesOf, Load, scriptWords } from "../scripts/bounds.ts"
import { append } from "../scripts/streams.ts"
import type { Writing } from "./append.ts"
import type { Laned } from "./laneOf.ts"
import { isPlain } from "./later.ts"
import { actionIdOf, contextFor, type SendingOptions, sent } from "./sending.ts"
import { traced } from "./telemetry.ts"

type Written = ReturnType<Writing["write"]>

/** Texts of one call, and the place of the first among all. */
interface Chunk {
  readonly from: number
  readonly texts: ReadonlyArray<string>
}

/** Words of a call that appends nothing: the keys, and what is the same for all actions. */
const appendWords = scriptWords + 18

/** The number of chunks of `sendMany` in flight: the server appends one while the next is sent. */
const chunksAtOnce = 2

export const makeSendMany = ({ chunkSize, lanes, later, redis, streams, writing }: SendingOptions) => {
  const appendMany = redis.eval(append.script)

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

  return Effect.fnUntraced(function*(
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
}
