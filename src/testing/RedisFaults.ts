/**
 * A Redis that fails as real ones do: on purpose, when a test says so, or at random from a seed.
 *
 * It wraps any `Redis` service, the memory layer as well as a real client, and stands
 * between it and the code under test. Rules name the next command that goes wrong; a
 * policy lets commands go wrong at random. The same seed and the same commands give the
 * same faults, so that a failing run is run again.
 *
 * | fault | what happens |
 * | --- | --- |
 * | {@link fail} | the connection is lost before the command is carried out |
 * | {@link dropReply} | the command is carried out, then the connection is lost: the caller cannot know |
 * | {@link refuse} | the server answers with an error (`LOADING …`, `OOM …`); the connection stays |
 * | {@link delayCommand} | the command is carried out late |
 * | {@link delayReply} | the command is carried out at once, its reply comes late |
 * | {@link hang} | the command is carried out, its reply never comes: a connection that is half open |
 * | {@link repeat} | the command is carried out twice, as by a client that sends again what had no reply |
 * | {@link replyTwice} | the reply comes twice: once more to the next command that is the same |
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
 * What goes wrong with one command.
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
 * The connection is lost before the command is carried out.
 *
 * @since 0.1.0
 * @category faults
 */
export const fail: Fault = { _tag: "Fail" }

/**
 * The command is carried out, then the connection is lost. Other commands that are under way on it are lost as well.
 *
 * @since 0.1.0
 * @category faults
 */
export const dropReply: Fault = { _tag: "DropReply" }

/**
 * The server answers with an error reply instead of carrying the command out, e.g. `"LOADING Redis is loading"`.
 *
 * @since 0.1.0
 * @category faults
 */
export const refuse = (message: string): Fault => ({ _tag: "Refuse", message })

/**
 * The command is carried out after a while.
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
 * The command is carried out at once, and its reply comes after a while.
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
 * The command is carried out and its reply never comes. It ends when the caller gives up or the connection is cut.
 *
 * @since 0.1.0
 * @category faults
 */
export const hang: Fault = { _tag: "Hang" }

/**
 * The command is carried out twice, and the second reply is handed over: what a client does that sends again when a
 * reply was lost, as ioredis does by default.
 *
 * @since 0.1.0
 * @category faults
 */
export const repeat: Fault = { _tag: "Repeat" }

/**
 * The reply is handed over, and once more to the next command with the same name and arguments, which is not carried out.
 * Of a pop: the same elements come twice. A reply of nothing (`null`) is not repeated.
 *
 * @since 0.1.0
 * @category faults
 */
export const replyTwice: Fault = { _tag: "ReplyTwice" }

/**
 * The server forgets its scripts, then carries the command out: a script is unknown to it (`NOSCRIPT`) until it is
 * loaded again.
 *
 * @since 0.1.0
 * @category faults
 */
export const forgetScripts: Fault = { _tag: "ForgetScripts" }

/**
 * The server restarts without its data: every key and group is gone, every connection is lost, the command was not
 * carried out.
 *
 * **Gotchas**
 *
 * On a real server this is `FLUSHALL`, unless the layer has an option `restart` of its own.
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
  /** In upper case; `EVAL` for a script, however the client runs it. */
  readonly name: string
  /** Without the name; keys and arguments of a script. */
  readonly args: ReadonlyArray<string>
  /** The source of a script. */
  readonly lua: string | undefined
  /** `reserved` are the connections behind `reserve`: those of blocking reads. */
  readonly connection: "shared" | "reserved"
}

/**
 * Which commands a rule or a policy is for: a command's name, a script, or a test. Default: every command.
 *
 * @since 0.1.0
 * @category models
 */
export type Matcher = string | { readonly lua: string } | ((command: Command) => boolean)

/**
 * Matches what puts actions into a stream: `XADD`, and the script that appends many.
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
 * Matches what takes answers out of lists: `BLMPOP`, `BRPOP` and their like.
 *
 * @since 0.1.0
 * @category matchers
 */
export const pops = (command: Command): boolean => /^B?[LR]M?POP$/.test(command.name)

// -----------------------------------------------------------------------------
// policy
// -----------------------------------------------------------------------------

/**
 * Faults at random: for each kind the probability that a command meets it, from 0 to 1. What is left out does not
 * happen; together they are at most 1.
 *
 * @since 0.1.0
 * @category models
 */
export interface Policy {
  readonly fail?: number | undefined
  readonly dropReply?: number | undefined
  readonly delayCommand?: number | undefined
  readonly delayReply?: number | undefined
  /** The longest delay; each is drawn between nothing and this. Default: 1 second. */
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
 * A fault that happened, and to which command.
 *
 * @since 0.1.0
 * @category models
 */
export interface Injected {
  readonly fault: Fault
  readonly command: Command
}

/**
 * Decides what goes wrong.
 *
 * **Details**
 *
 * Rules go before the policy. Of several rules for a command the first that was made decides, and only a rule that
 * decides is used up.
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
  /** What the random faults are drawn from. */
  readonly seed: number
  /** The next command that matches, or the next few, meet this fault. Default of `times`: 1. */
  readonly next: (fault: Fault, match?: Matcher, times?: number) => Effect.Effect<void>
  /** Every command that matches meets this fault, until `clear`. */
  readonly always: (fault: Fault, match?: Matcher) => Effect.Effect<void>
  /** Faults at random from now on, in place of an earlier policy. */
  readonly random: (policy: Policy) => Effect.Effect<void>
  /** The network is gone: what is under way fails, and so does every command until `restore`. */
  readonly cut: Effect.Effect<void>
  readonly restore: Effect.Effect<void>
  /** Every connection is lost once; commands that come after go through. */
  readonly disconnect: Effect.Effect<void>
  /** Restarts the server empty, now. */
  readonly restart: Effect.Effect<void>
  /** No more faults: forgets all rules and the policy, and restores a cut network. */
  readonly clear: Effect.Effect<void>
  /** What went wrong so far, in order. */
  readonly injected: Effect.Effect<ReadonlyArray<Injected>>
}>()("effect-redis-workers/testing/RedisFaults") {}

/**
 * {@link RedisFaults} `next`, of the service in the context.
 *
 * @since 0.1.0
 * @category control
 */
export const next = (fault: Fault, match?: Matcher, times?: number): Effect.Effect<void, never, RedisFaults> =>
  RedisFaults.use((faults) => faults.next(fault, match, times))

/**
 * {@link RedisFaults} `always`, of the service in the context.
 *
 * @since 0.1.0
 * @category control
 */
export const always = (fault: Fault, match?: Matcher): Effect.Effect<void, never, RedisFaults> =>
  RedisFaults.use((faults) => faults.always(fault, match))

/**
 * {@link RedisFaults} `random`, of the service in the context.
 *
 * @since 0.1.0
 * @category control
 */
export const random = (policy: Policy): Effect.Effect<void, never, RedisFaults> =>
  RedisFaults.use((faults) => faults.random(policy))

/**
 * {@link RedisFaults} `cut`, of the service in the context.
 *
 * @since 0.1.0
 * @category control
 */
export const cut: Effect.Effect<void, never, RedisFaults> = RedisFaults.use((faults) => faults.cut)

/**
 * {@link RedisFaults} `restore`, of the service in the context.
 *
 * @since 0.1.0
 * @category control
 */
export const restore: Effect.Effect<void, never, RedisFaults> = RedisFaults.use((faults) => faults.restore)

/**
 * {@link RedisFaults} `clear`, of the service in the context.
 *
 * @since 0.1.0
 * @category control
 */
export const clear: Effect.Effect<void, never, RedisFaults> = RedisFaults.use((faults) => faults.clear)

/**
 * Delivers every action twice that is sent through this Redis: each arrives as two entries with the same `action_id`,
 * one after the other, as when a sender repeats a call whose reply it did not get. Use it to show that a handler may
 * be run twice.
 *
 * **Gotchas**
 *
 * Entries differ in their ids, so what a handler tells repetitions by has to be the `action_id` or a part of the payload.
 * Callbacks that a worker writes inside of its settlement are not repeated. The same *entry* comes again when its worker
 * is {@link cut} off for longer than its lease.
 *
 * @since 0.1.0
 * @category control
 */
export const deliverTwice: Effect.Effect<void, never, RedisFaults> = always(repeat, sends)

/**
 * Brings every answer twice to whoever takes answers through this Redis.
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
  /** What random faults are drawn from. Default: a number from Effect's `Random`. */
  readonly seed?: number | undefined
  /** Faults at random from the start. Default: none. */
  readonly policy?: Policy | undefined
  /** Restarts the server without its data, in place of `FLUSHALL` and `SCRIPT FLUSH`. */
  readonly restart?: Effect.Effect<void> | undefined
}

/**
 * Wraps a Redis: what is sent through the `redis` that comes out meets the faults that `faults` decides.
 *
 * **Details**
 *
 * Several wrapped clients of one server fail each on its own: one for every process that a test plays.
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
 * Takes a Redis and provides one with faults in its place, together with what decides about them.
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
