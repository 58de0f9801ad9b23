/**
 * What all cases of the conformance suite are made of: a place of their own, commands, expectations.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { AssertionError, deepStrictEqual } from "node:assert/strict"
import { randomBytes } from "node:crypto"
import { inspect } from "node:util"
import { isCluster } from "../../internal/redis/cluster.ts"
import { failureOf, type RedisFailure } from "../../internal/redis/failure.ts"
import { type Names, namesOf } from "../../internal/redis/names.ts"
import * as QueueNaming from "../../QueueNaming.ts"
import * as Redis from "../../Redis.ts"

// -----------------------------------------------------------------------------
// cases
// -----------------------------------------------------------------------------

export class ConformanceFailure extends Schema.TaggedError<ConformanceFailure>()("ConformanceFailure", {
  case: Schema.String,
  message: Schema.String,
  expected: Schema.Unknown,
  actual: Schema.Unknown
}) {}

export interface Case {
  readonly behaviour: string
  readonly name: string
  readonly run: Effect.Effect<void, ConformanceFailure | Redis.RedisError, Redis.Redis | Scope.Scope>
}

export const PassTime: Context.Reference<(duration: Duration.Input) => Effect.Effect<void>> = Context.Reference(
  "effect-redis-workers/testing/Conformance/PassTime",
  { defaultValue: () => Effect.sleep }
)

/** Where a case runs. */
export class Place extends Context.Service<Place, {
  /** A key that no other case has; it is gone afterwards. */
  readonly key: (name: string) => string
  /** The keys of a service that no other case has; they are gone afterwards. */
  readonly names: Names
  readonly pass: (duration: Duration.Input) => Effect.Effect<void>
}>()("effect-redis-workers/testing/Conformance/Place") {}

type Body = Effect.Effect<void, ConformanceFailure | Redis.RedisError, Redis.Redis | Place | Scope.Scope>

/** Adds a case. */
export type Test = (name: string, body: () => Body) => void

/** The cases of one behaviour. */
export const cases = (behaviour: string, add: (test: Test) => void): ReadonlyArray<Case> => {
  const found: Array<Case> = []
  add((name, body) => {
    found.push({
      behaviour,
      name,
      run: Effect.suspend(body).pipe(
        Effect.provideServiceEffect(Place, place),
        Effect.catchDefect((defect) =>
          defect instanceof AssertionError
            ? Effect.fail(
              new ConformanceFailure({
                case: name,
                message: defect.message,
                expected: defect.expected,
                actual: defect.actual
              })
            )
            : Effect.die(defect)
        )
      )
    })
  })
  return found
}

/** Idle and waiting times reach back by minutes from now, and a clock that begins at zero has no minutes to give. */
const someTime = 10_000_000

const place = Effect.gen(function*() {
  const pass = yield* PassTime
  const environment = randomBytes(6).toString("hex")
  // On a cluster, all keys of a case are in one slot.
  const isTagged = isCluster(yield* Redis.Redis)
  const prefix = isTagged ? `{conformance:${environment}:user}:other:` : `conformance:${environment}:`
  const naming = isTagged ? QueueNaming.makeCluster : QueueNaming.make
  const names = namesOf(naming({ prefix: "conformance", environment }), "user")
  const { group: _, service: __, waitingConsumer: ___, ...keysOfService } = names
  const used = new Set(Object.values(keysOfService))
  const context = yield* Effect.context<Redis.Redis>()
  yield* Effect.addFinalizer(() => Effect.ignore(Effect.provideContext(send("DEL", ...used), context)))
  yield* enoughTime
  const key = (name: string) => {
    used.add(prefix + name)
    return prefix + name
  }
  return Place.of({ key, names, pass })
})

/** Lets the clock of a test come so far. */
export const enoughTime = Effect.gen(function*() {
  const pass = yield* PassTime
  if ((yield* serverTime) < someTime) yield* pass(someTime)
})

/** A key of this case. */
export const key = (name: string): Effect.Effect<string, never, Place> =>
  Place.use((place) => Effect.succeed(place.key(name)))

/** Several keys of this case. */
export const keys = <const Names extends ReadonlyArray<string>>(
  ...names: Names
): Effect.Effect<{ readonly [K in keyof Names]: string }, never, Place> =>
  // SAFETY: one key for each name.
  Place.use((place) => Effect.succeed(names.map(place.key) as { readonly [K in keyof Names]: string }))

// -----------------------------------------------------------------------------
// commands
// -----------------------------------------------------------------------------

type Argument = string | number

/** One command on the shared connection. */
export const send = <A = unknown>(
  command: string,
  ...args: ReadonlyArray<Argument>
): Effect.Effect<A, Redis.RedisError, Redis.Redis> =>
  Redis.Redis.use((redis) => redis.send<A>(command, ...args.map(String)))

/** The server's clock in milliseconds. */
export const serverTime = Effect.map(
  send<ReadonlyArray<string>>("TIME"),
  ([seconds, micros]) => Number(seconds) * 1000 + Math.floor(Number(micros) / 1000)
)

/** A stream entry: id, and field and value pairs. */
export type Row = readonly [id: string, fields: ReadonlyArray<string>]

/** All entries of a stream. */
export const entriesOf = (stream: string): Effect.Effect<ReadonlyArray<Row>, Redis.RedisError, Redis.Redis> =>
  send<ReadonlyArray<Row>>("XRANGE", stream, "-", "+")

/** The elements of a list, from the left. */
export const elementsOf = Effect.fnUntraced(function*(list: string) {
  const elements: Array<string> = []
  for (;;) {
    const element = yield* send<string | null>("LINDEX", list, elements.length)
    if (element === null) return elements
    elements.push(element)
  }
})

/** Fields as an object. Of a repeated field it keeps the first. */
export const fieldsOf = (fields: ReadonlyArray<string>): Readonly<Record<string, string>> => {
  const record: Record<string, string> = {}
  for (let i = 0; i + 1 < fields.length; i += 2) record[fields[i] ?? ""] ??= fields[i + 1] ?? ""
  return record
}

/** The reply as RESP2 has it: clients that speak RESP3 give maps or objects in place of flat lists. */
const plain = (reply: unknown): unknown => {
  if (Array.isArray(reply)) return reply.map(plain)
  if (reply instanceof Map) return [...reply].flat().map(plain)
  return typeof reply === "object" && reply !== null ? Object.entries(reply).flat().map(plain) : reply ?? null
}

/** Streams and their entries as a read replies with them, whatever the client makes of it. */
const streamsOf = (reply: unknown): unknown => {
  if (reply === null || reply === undefined) return []
  if (Array.isArray(reply) && Array.isArray(reply[0])) return reply
  const flat = plain(reply)
  return Array.isArray(flat)
    ? Array.from({ length: flat.length / 2 }, (_, index) => flat.slice(index * 2, index * 2 + 2))
    : flat
}

/** One line of a command, for messages. */
const line = (command: string, args: ReadonlyArray<Argument>): string =>
  [command, ...args].map((word) => {
    const text = String(word).replace(/^conformance:[0-9a-f]{12}:/, "")
    return text.length > 60 ? `${text.slice(0, 60)}…` : text
  }).join(" ")

const shown = (value: unknown): string => inspect(value, { depth: 8, breakLength: 100 })

/** Two values that have to be the same. */
export const same = (what: string, actual: unknown, expected: unknown): void => {
  try {
    deepStrictEqual(actual, expected)
  } catch {
    throw new AssertionError({
      message: `${what}: expected ${shown(expected)}, got ${shown(actual)}`,
      actual,
      expected
    })
  }
}

/** Something that has to be so; what was found instead goes into the message. */
export const holds = (what: string, condition: boolean, found?: unknown): void => {
  if (condition) return
  const message = found === undefined ? what : `${what}: ${shown(found)}`
  throw new AssertionError({ message, actual: false, expected: true })
}

/** Sends a command, whose reply has to be this one. */
export const expect = (
  reply: unknown,
  command: string,
  ...args: ReadonlyArray<Argument>
): Effect.Effect<void, Redis.RedisError, Redis.Redis> =>
  Effect.map(send(command, ...args), (actual) => same(line(command, args), plain(actual), reply))

/** Sends a command that replies with scores, which some clients give as numbers. */
export const expectScores = (
  reply: ReadonlyArray<string | null>,
  command: string,
  ...args: ReadonlyArray<Argument>
): Effect.Effect<void, Redis.RedisError, Redis.Redis> =>
  Effect.map(send(command, ...args), (actual) => {
    const texts = [actual].flat(Number.POSITIVE_INFINITY).map((part) => typeof part === "number" ? String(part) : part)
    same(line(command, args), texts, reply)
  })

/** Sends a read, which replies with entries by their stream. */
export const expectEntries = (
  reply: ReadonlyArray<readonly [stream: string, entries: ReadonlyArray<unknown>]>,
  command: string,
  ...args: ReadonlyArray<Argument>
): Effect.Effect<void, Redis.RedisError, Redis.Redis> =>
  Effect.map(send(command, ...args), (actual) => same(line(command, args), streamsOf(actual), reply))

/** The words of an error reply. */
export const messageOf = (error: Redis.RedisError): string =>
  error.cause instanceof Error ? error.cause.message : String(error.cause)

/** The error of an effect that has to fail. */
export const errorOf = <R>(
  effect: Effect.Effect<unknown, Redis.RedisError, R>
): Effect.Effect<Redis.RedisError, never, R> =>
  Effect.map(Effect.result(effect), (result) => {
    if (result._tag === "Failure") return result.failure
    throw new AssertionError({ message: `it does not fail, and replies ${shown(result.success)}` })
  })

/** An effect that has to fail with these words, and as this kind of trouble. */
export const failing = <R>(
  what: string,
  words: RegExp | string,
  kind: RedisFailure,
  effect: Effect.Effect<unknown, Redis.RedisError, R>
): Effect.Effect<void, never, R> =>
  Effect.map(errorOf(effect), (error) => {
    const message = messageOf(error)
    if (!(typeof words === "string" ? message === words : words.test(message))) return same(what, message, words)
    same(`${what}: "${message}" is classified as`, failureOf(error), kind)
  })

/** Sends a command that has to fail with these words. */
export const refuse = (
  words: RegExp | string,
  command: string,
  ...args: ReadonlyArray<Argument>
): Effect.Effect<void, never, Redis.Redis> => {
  const text = typeof words === "string" ? words : words.source.replace(/^\^/, "")
  const kind = text.startsWith("WRONGTYPE")
    ? "WrongType"
    : text.startsWith("NOGROUP") || text === "ERR no such key"
    ? "NoGroup"
    : text.startsWith("BUSYGROUP")
    ? "GroupExists"
    : text.startsWith("NOSCRIPT")
    ? "NoScript"
    : /^ERR (unknown (sub)?command|wrong number of arguments|syntax error)/.test(text)
    ? "Unsupported"
    : "Other"
  return failing(line(command, args), words, kind, send(command, ...args))
}

// -----------------------------------------------------------------------------
// waiting
// -----------------------------------------------------------------------------

/** Waits until it is so, a thousand times 5 milliseconds at most. */
export const eventually = <E, R>(
  what: string,
  condition: Effect.Effect<boolean, E, R>
): Effect.Effect<void, E, R | Place> =>
  Effect.gen(function*() {
    const { pass } = yield* Place
    for (let round = 0; !(yield* condition); round++) {
      holds(`it does not come about: ${what}`, round < 1_000)
      yield* pass("5 millis")
    }
  })

/** The server's description of a connection, empty when it is gone. */
export const clientLine = (id: string): Effect.Effect<string, Redis.RedisError, Redis.Redis> =>
  Effect.map(send("CLIENT", "LIST", "ID", id), (reply) => String(reply).trim())

const isBlocked = (id: string) => Effect.map(clientLine(id), (text) => /(?:^| )flags=\w*b/.test(text))

export interface Blocked {
  /** Id of the connection at the server. */
  readonly id: string
  readonly connection: Redis.Connection
  readonly fiber: Fiber.Fiber<unknown, Redis.RedisError>
  /** The reply, once it is there. */
  readonly reply: Effect.Effect<unknown, Redis.RedisError>
  /** Gives the connection back, whatever is under way on it. */
  readonly release: Effect.Effect<void>
}

/** Sends a command on a connection of its own, and comes back when the server lets it wait. */
export const block = (
  command: string,
  ...args: ReadonlyArray<Argument>
): Effect.Effect<Blocked, Redis.RedisError, Redis.Redis | Place | Scope.Scope> =>
  Effect.gen(function*() {
    const redis = yield* Redis.Redis
    const scope = yield* Scope.fork(yield* Effect.scope)
    const connection = yield* Scope.provide(redis.reserve, scope)
    // On a cluster, a connection is at a node.
    if (isCluster(yield* Redis.Redis)) yield* connection.send("CLUSTER", "KEYSLOT", yield* key("any"))
    const id = String(yield* connection.send("CLIENT", "ID"))
    const fiber = yield* Effect.forkIn(connection.send(command, ...args.map(String)), scope, { startImmediately: true })
    yield* eventually(`${line(command, args)} waits at the server`, isBlocked(id))
    return {
      id,
      connection,
      fiber,
      reply: Effect.map(Fiber.join(fiber), plain),
      release: Scope.close(scope, Exit.void)
    }
  })
