/**
 * A test suite for layers of `Redis`. It checks the commands, replies, errors, waits and scripts that the library
 * relies on.
 *
 * Cases are data, so any test library can run them. Each case uses its own keys and removes them.
 *
 * **Example** (With `@effect/vitest`)
 *
 * ```ts
 * import { layer } from "@effect/vitest"
 * import { IoRedis } from "effect-redis-workers"
 * import { Conformance } from "effect-redis-workers/testing"
 *
 * layer(IoRedis.layerOptions({ url: "redis://127.0.0.1:6379" }), { excludeTestServices: true })("my Redis", (it) => {
 *   for (const { behaviour, name, run } of Conformance.cases) it.effect(`${behaviour}: ${name}`, () => run)
 * })
 * ```
 *
 * **Gotchas**
 *
 * The suite sends only commands that the library sends. It closes some of its own connections, so use a server without
 * other users. It requires version 7.0 or newer, or a server that behaves like it.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import * as Redis from "../Redis.ts"
import { blockingCases, interruptionCases } from "./conformance/blocking.ts"
import * as internal from "./conformance/case.ts"
import * as collections from "./conformance/collections.ts"
import { connectionCases } from "./conformance/connection.ts"
import { groupCases, pendingCases } from "./conformance/groups.ts"
import { scriptingCases } from "./conformance/scripting.ts"
import { deadLetterCases } from "./conformance/scripts/deadLetters.ts"
import { forwardCases } from "./conformance/scripts/forward.ts"
import { inspectCases } from "./conformance/scripts/inspect.ts"
import { laneCases } from "./conformance/scripts/lanes.ts"
import { leaseCases } from "./conformance/scripts/lease.ts"
import { parkCases } from "./conformance/scripts/park.ts"
import { rehearseCases } from "./conformance/scripts/rehearse.ts"
import { scheduleCases } from "./conformance/scripts/schedules.ts"
import { settleCases } from "./conformance/scripts/settle.ts"
import { statisticsCases } from "./conformance/scripts/statistics.ts"
import { streamCases as streamScriptCases } from "./conformance/scripts/streams.ts"
import { takeCases } from "./conformance/scripts/take.ts"
import { streamCases } from "./conformance/streams.ts"
import * as strings from "./conformance/strings.ts"

export {
  /**
   * The layer does not behave as required. The error names the case, the expected result and the actual one.
   *
   * @since 0.1.0
   * @category errors
   */
  ConformanceFailure,
  /**
   * How cases let time pass. Default: they wait, for a few tenths of a second in all. For a layer on `TestClock`, pass
   * `TestClock.adjust`.
   *
   * @since 0.1.0
   * @category running
   */
  PassTime
} from "./conformance/case.ts"

export type {
  /**
   * One case: the behaviour that it tests, its name (a sentence), and the effect that fails if the layer behaves
   * differently.
   *
   * @since 0.1.0
   * @category models
   */
  Case
} from "./conformance/case.ts"

/**
 * All cases, grouped by behaviour.
 *
 * @since 0.1.0
 * @category cases
 */
export const cases: ReadonlyArray<internal.Case> = [
  ...connectionCases,
  ...strings.stringCases,
  ...strings.expiryCases,
  ...strings.keyCases,
  ...collections.hashCases,
  ...collections.sortedSetCases,
  ...collections.listCases,
  ...streamCases,
  ...groupCases,
  ...pendingCases,
  ...blockingCases,
  ...interruptionCases,
  ...scriptingCases,
  ...settleCases,
  ...takeCases,
  ...forwardCases,
  ...leaseCases,
  ...streamScriptCases,
  ...deadLetterCases,
  ...rehearseCases,
  ...parkCases,
  ...inspectCases,
  ...laneCases,
  ...scheduleCases,
  ...statisticsCases
]

/**
 * The results of the cases.
 *
 * @since 0.1.0
 * @category models
 */
export interface Report {
  /** Names of the cases that passed. */
  readonly passed: ReadonlyArray<string>
  readonly failed: ReadonlyArray<{
    readonly case: internal.Case
    /** The {@link ConformanceFailure}, or any other cause that ended the case. */
    readonly cause: Cause.Cause<internal.ConformanceFailure | Redis.RedisError>
  }>
}

/**
 * Options of {@link run}.
 *
 * @since 0.1.0
 * @category options
 */
export interface Options {
  /** The cases to run. Default: all of them. */
  readonly cases?: ReadonlyArray<internal.Case> | undefined
  /** How long one case may take. Default: 1 minute. */
  readonly timeout?: Duration.Input | undefined
  /** Stops at the first case that fails. Default: `false`. */
  readonly stopAtFirst?: boolean | undefined
}

/**
 * Runs the cases one by one on a layer that is built once, and reports which of them failed.
 *
 * **Example** (Without a test library)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { RedisMemory } from "effect-redis-workers"
 * import { Conformance } from "effect-redis-workers/testing"
 *
 * const report = await Effect.runPromise(Conformance.run(RedisMemory.layer))
 * console.log(Conformance.render(report))
 * ```
 *
 * @since 0.1.0
 * @category running
 */
export const run = <E, R>(
  layer: Layer.Layer<Redis.Redis, E, R>,
  options: Options = {}
): Effect.Effect<Report, E | Redis.RedisError, R> =>
  Effect.gen(function*() {
    const passed: Array<string> = []
    const failed: Array<Report["failed"][number]> = []
    yield* internal.enoughTime
    for (const next of options.cases ?? cases) {
      const exit = yield* Effect.exit(limited(next, Duration.fromInputUnsafe(options.timeout ?? "1 minute")))
      if (Exit.isSuccess(exit)) passed.push(next.name)
      else failed.push({ case: next, cause: exit.cause })
      if (failed.length > 0 && options.stopAtFirst === true) break
    }
    return { passed, failed }
  }).pipe(Effect.provide(layer))

const limited = (next: internal.Case, duration: Duration.Duration) =>
  Effect.scoped(next.run).pipe(
    Effect.timeoutOrElse({
      duration,
      orElse: () =>
        Effect.fail(
          new internal.ConformanceFailure({
            case: next.name,
            message: `it does not end within ${Duration.format(duration)}`,
            expected: "an end",
            actual: "none"
          })
        )
    })
  )

/**
 * Renders a report as text: a line for each failed case with its reason, and a summary line.
 *
 * @since 0.1.0
 * @category rendering
 */
export const render = ({ failed, passed }: Report): string =>
  [
    ...failed.map(({ case: { behaviour, name }, cause }) => `✗ ${behaviour}: ${name}\n${indented(textOf(cause))}`),
    `${passed.length} of ${passed.length + failed.length} cases passed`
  ].join("\n")

const textOf = (cause: Cause.Cause<internal.ConformanceFailure | Redis.RedisError>): string => {
  const error = Cause.squash(cause)
  if (error instanceof internal.ConformanceFailure) return error.message
  return error instanceof Redis.RedisError ? `RedisError: ${internal.messageOf(error)}` : Cause.pretty(cause)
}

const indented = (text: string): string => text.split("\n").map((line) => `  ${line}`).join("\n")
