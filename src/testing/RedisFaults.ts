/**
 * A Redis that fails like a real one: on purpose, when a test says so, or at random from a seed.
 *
 * It wraps any `Redis` service, in memory or real, between the service and the code under test. Rules select the next
 * command that goes wrong. A policy makes commands go wrong at random. The same seed and the same commands give the
 * same faults, so you can reproduce a failing run.
 *
 * | fault | what happens |
 * | --- | --- |
 * | {@link fail} | the connection is lost before the command runs |
 * | {@link dropReply} | the command runs, then the connection is lost: the caller cannot know |
 * | {@link refuse} | the server answers with an error (`LOADING …`, `OOM …`); the connection stays |
 * | {@link delayCommand} | the command runs late |
 * | {@link delayReply} | the command runs at once, its reply arrives late |
 * | {@link hang} | the command runs, its reply never arrives: a half-open connection |
 * | {@link repeat} | the command runs twice, as with a client that resends a command without a reply |
 * | {@link replyTwice} | the reply arrives twice: again for the next identical command |
 * | {@link forgetScripts} | the script cache is flushed before the command |
 * | {@link restartEmpty} | the server restarts without its data, and every connection is lost |
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { append } from "../internal/scripts/streams.ts"
import * as faultyRedis from "../internal/testing/faultyRedis.ts"
import * as Redis from "../Redis.ts"

// -----------------------------------------------------------------------------
// faults
// -----------------------------------------------------------------------------

/**
 * A fault of one command.
 *
 * @since 0.1.0
 * @category models
 */
export type Fault =
  | { readonly _tag: "Fail" }
  | { readonly _tag: "DropReply" }
  | { readonly _tag: "Refuse"; readonly message: string }
  | { readonly _tag: "Delay"; readonly duration: Duration.Duration; readonly of: "command" | "reply" }
  | { readonly _tag: "Hang" }
  | { readonly _tag: "Repeat" }
  | { readonly _tag: "ReplyTwice" }
  | { readonly _tag: "ForgetScripts" }
  | { readonly _tag: "RestartEmpty" }

/**
 * The connection is lost before the command runs.
 *
 * @since 0.1.0
 * @category faults
 */
export const fail: Fault = { _tag: "Fail" }

/**
 * The command runs, then the connection is lost. Other commands in flight on that connection are lost as well.
 *
 * @since 0.1.0
 * @category faults
 */
export const dropReply: Fault = { _tag: "DropReply" }

/**
 * The server answers with an error reply instead of running the command, for example `"LOADING Redis is loading"`.
 *
 * @since 0.1.0
 * @category faults
 */
export const refuse = (message: string): Fault => ({ _tag: "Refuse", message })

/**
 * The command runs after a delay.
 *
 * @since 0.1.0
 * @category faults
 */
export const delayCommand = (duration: Duration.Input): Fault => ({
  _tag: "Delay",
  duration: Duration.fromInputUnsafe(duration),
  of: "command"
})

/**
 * The command runs at once, and its reply arrives after a delay.
 *
 * @since 0.1.0
 * @category faults
 */
export const delayReply = (duration: Duration.Input): Fault => ({
  _tag: "Delay",
  duration: Duration.fromInputUnsafe(duration),
  of: "reply"
})

/**
 * The command runs and its reply never arrives. The call ends when the caller gives up or the connection is cut.
 *
 * @since 0.1.0
 * @category faults
 */
export const hang: Fault = { _tag: "Hang" }

/**
 * The command runs twice, and the second reply is returned. A client that resends after a lost reply does this, as
 * ioredis does by default.
 *
 * @since 0.1.0
 * @category faults
 */
export const repeat: Fault = { _tag: "Repeat" }

/**
 * The reply is returned, and returned again for the next command with the same name and arguments, which does not run.
 * For a pop, the same elements arrive twice. An empty reply (`null`) is not repeated.
 *
 * @since 0.1.0
 * @category faults
 */
export const replyTwice: Fault = { _tag: "ReplyTwice" }

/**
 * The server forgets its scripts, then runs the command. Scripts are unknown (`NOSCRIPT`) until they are loaded again.
 *
 * @since 0.1.0
 * @category faults
 */
export const forgetScripts: Fault = { _tag: "ForgetScripts" }

/**
 * The server restarts without its data: every key and group is gone, every connection is lost, and the command did not
 * run.
 *
 * **Gotchas**
 *
 * On a real server this is `FLUSHALL`, unless you pass your own `restart` to the layer.
 *
 * @since 0.1.0
 * @category faults
 */
export const restartEmpty: Fault = { _tag: "RestartEmpty" }

// -----------------------------------------------------------------------------
// commands and matchers
// -----------------------------------------------------------------------------

/**
 * A command on its way to Redis.
 *
 * @since 0.1.0
 * @category models
 */
export interface Command {
  /** The name in upper case. `EVAL` for a script, however the client runs it. */
  readonly name: string
  /** The arguments without the name. For a script, its keys and arguments. */
  readonly args: ReadonlyArray<string>
  /** The source of a script. */
  readonly lua: string | undefined
  /** `reserved` for the connections behind `reserve`, which run blocking reads. */
  readonly connection: "shared" | "reserved"
}

/**
 * Which commands a rule or a policy applies to: a command's name, a script, or a predicate. Default: every command.
 *
 * @since 0.1.0
 * @category models
 */
export type Matcher = string | { readonly lua: string } | ((command: Command) => boolean)

/**
 * Matches commands that add actions to a stream: `XADD`, and the script that appends many.
 *
 * @since 0.1.0
 * @category matchers
 */
export const sends = (command: Command): boolean => command.name === "XADD" || command.lua === append.lua

/**
 * Matches reads that wait at the server.
 *
 * @since 0.1.0
 * @category matchers
 */
export const blockingReads = (command: Command): boolean =>
  command.connection === "reserved" && /^(?:XREAD|BL|BR|BZ)/.test(command.name)

/**
 * Matches commands that take answers from lists: `BLMPOP`, `BRPOP` and similar.
 *
 * @since 0.1.0
 * @category matchers
 */
export const pops = (command: Command): boolean => /^B?[LR]M?POP$/.test(command.name)

// -----------------------------------------------------------------------------
// policy
// -----------------------------------------------------------------------------

/**
 * Random faults: for each kind, the probability that a command meets it, from 0 to 1. An omitted fault never happens.
 * The sum is at most 1.
 *
 * @since 0.1.0
 * @category models
 */
export interface Policy {
  readonly fail?: number | undefined
  readonly dropReply?: number | undefined
  readonly delayCommand?: number | undefined
  readonly delayReply?: number | undefined
  /** The longest delay. Each delay is drawn between zero and this. Default: 1 second. */
  readonly maxDelay?: Duration.Input | undefined
  readonly repeat?: number | undefined
  readonly forgetScripts?: number | undefined
  readonly restartEmpty?: number | undefined
  /** Which commands may meet a fault. Default: every command. */
  readonly match?: Matcher | undefined
}

// -----------------------------------------------------------------------------
// service
// -----------------------------------------------------------------------------

/**
 * A fault that happened, and its command.
 *
 * @since 0.1.0
 * @category models
 */
export interface Injected {
  readonly fault: Fault
  readonly command: Command
}

/**
 * Controls the faults.
 *
 * **Details**
 *
 * Rules are checked before the policy. If several rules match a command, the oldest decides, and only that rule is used
 * up.
 *
 * **Example** (The reply to a write is lost)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Redis, RedisMemory } from "effect-redis-workers"
 * import { RedisFaults } from "effect-redis-workers/testing"
 *
 * const program = Effect.gen(function*() {
 *   const redis = yield* Redis.Redis
 *   yield* RedisFaults.next(RedisFaults.dropReply, "INCR")
 *   const error = yield* Effect.flip(redis.send("INCR", "visits"))
 *   console.log(error._tag) // RedisError, as for a connection that was lost
 *   console.log(yield* redis.send("GET", "visits")) // "1": it was carried out
 * }).pipe(Effect.provide(RedisFaults.layer().pipe(Layer.provide(RedisMemory.layer))))
 * ```
 *
 * @since 0.1.0
 * @category services
 */
export class RedisFaults extends Context.Service<RedisFaults, {
  /** The seed of the random faults. */
  readonly seed: number
  /** The next commands that match meet this fault. `times` is the number of commands, by default 1. */
  readonly next: (fault: Fault, match?: Matcher, times?: number) => Effect.Effect<void>
  /** Every command that matches meets this fault, until `clear`. */
  readonly always: (fault: Fault, match?: Matcher) => Effect.Effect<void>
  /** Injects random faults from now on, replacing an earlier policy. */
  readonly random: (policy: Policy) => Effect.Effect<void>
  /** Cuts the network: commands in flight fail, and so does every command until `restore`. */
  readonly cut: Effect.Effect<void>
  readonly restore: Effect.Effect<void>
  /** Drops every connection once. Later commands succeed. */
  readonly disconnect: Effect.Effect<void>
  /** Restarts the server empty, now. */
  readonly restart: Effect.Effect<void>
  /** Removes all rules and the policy, and restores a cut network. */
  readonly clear: Effect.Effect<void>
  /** The faults injected so far, in order. */
  readonly injected: Effect.Effect<ReadonlyArray<Injected>>
}>()("effect-redis-workers/testing/RedisFaults") {}

/**
 * Calls `next` of the {@link RedisFaults} in the context.
 *
 * @since 0.1.0
 * @category control
 */
export const next = (fault: Fault, match?: Matcher, times?: number): Effect.Effect<void, never, RedisFaults> =>
  RedisFaults.use((faults) => faults.next(fault, match, times))

/**
 * Calls `always` of the {@link RedisFaults} in the context.
 *
 * @since 0.1.0
 * @category control
 */
export const always = (fault: Fault, match?: Matcher): Effect.Effect<void, never, RedisFaults> =>
  RedisFaults.use((faults) => faults.always(fault, match))

/**
 * Calls `random` of the {@link RedisFaults} in the context.
 *
 * @since 0.1.0
 * @category control
 */
export const random = (policy: Policy): Effect.Effect<void, never, RedisFaults> =>
  RedisFaults.use((faults) => faults.random(policy))

/**
 * Calls `cut` of the {@link RedisFaults} in the context.
 *
 * @since 0.1.0
 * @category control
 */
export const cut: Effect.Effect<void, never, RedisFaults> = RedisFaults.use((faults) => faults.cut)

/**
 * Calls `restore` of the {@link RedisFaults} in the context.
 *
 * @since 0.1.0
 * @category control
 */
export const restore: Effect.Effect<void, never, RedisFaults> = RedisFaults.use((faults) => faults.restore)

/**
 * Calls `clear` of the {@link RedisFaults} in the context.
 *
 * @since 0.1.0
 * @category control
 */
export const clear: Effect.Effect<void, never, RedisFaults> = RedisFaults.use((faults) => faults.clear)

/**
 * Delivers every action that is sent through this Redis twice: as two consecutive entries with the same `action_id`, as
 * when a sender repeats a call without a reply. Use it to test that a handler can run twice.
 *
 * **Gotchas**
 *
 * The entries have different ids, so a handler must recognize repetitions by the `action_id` or a part of the payload.
 * Callbacks that a worker writes in its settlement are not repeated. To deliver the same *entry* again, {@link cut} off
 * its worker for longer than its lease.
 *
 * @since 0.1.0
 * @category control
 */
export const deliverTwice: Effect.Effect<void, never, RedisFaults> = always(repeat, sends)

/**
 * Delivers every answer that is read through this Redis twice.
 *
 * @since 0.1.0
 * @category control
 */
export const answerTwice: Effect.Effect<void, never, RedisFaults> = always(replyTwice, pops)

// -----------------------------------------------------------------------------
// make
// -----------------------------------------------------------------------------

/**
 * Options of a Redis with faults.
 *
 * @since 0.1.0
 * @category options
 */
export interface Options {
  /** The seed of random faults. Default: a number from Effect's `Random`. */
  readonly seed?: number | undefined
  /** Random faults from the start. Default: none. */
  readonly policy?: Policy | undefined
  /** Restarts the server without its data. Default: `FLUSHALL` and `SCRIPT FLUSH`. */
  readonly restart?: Effect.Effect<void> | undefined
}

/**
 * Wraps a Redis. Commands sent through the returned `redis` meet the faults that the returned `faults` decides.
 *
 * **Details**
 *
 * Several wrapped clients of one server fail independently. Make one for each process that a test simulates.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  inner: Redis.Redis["Service"],
  options: Options = {}
): Effect.Effect<{ readonly redis: Redis.Redis["Service"]; readonly faults: RedisFaults["Service"] }> =>
  Effect.map(faultyRedis.make(inner, options), ({ control, redis }) => ({ redis, faults: RedisFaults.of(control) }))

// -----------------------------------------------------------------------------
// layers
// -----------------------------------------------------------------------------

/**
 * Replaces a `Redis` with one that has faults, and provides {@link RedisFaults} to control them.
 *
 * **Example** (Random faults, from a seed)
 *
 * ```ts
 * import { Layer } from "effect"
 * import { RedisMemory } from "effect-redis-workers"
 * import { RedisFaults } from "effect-redis-workers/testing"
 *
 * const FaultyRedis = RedisFaults.layer({
 *   seed: Number(process.env["FAULTS_SEED"] ?? 1),
 *   policy: { fail: 0.02, dropReply: 0.02, delayReply: 0.05, forgetScripts: 0.01 }
 * }).pipe(Layer.provide(RedisMemory.layer))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<Redis.Redis | RedisFaults, never, Redis.Redis> =>
  Layer.effectContext(Effect.gen(function*() {
    const { faults, redis } = yield* make(yield* Redis.Redis, options)
    return Context.make(Redis.Redis, redis).pipe(Context.add(RedisFaults, faults))
  }))
