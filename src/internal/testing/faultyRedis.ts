/** The Redis that fails. It carries out the decisions of `RedisFaults`, one command at a time. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as Redis from "../../Redis.ts"
import type { Command, Fault, Options, RedisFaults } from "../../testing/RedisFaults.ts"
import { makeFaults } from "./faults.ts"

/** One connection: its commands in flight, and whether it is lost for good. */
interface Link {
  readonly kind: Command["connection"]
  lost: Deferred.Deferred<never, Redis.RedisError>
  closed: boolean
  /** Whether one of its commands was given up, so that its pool already knows not to reuse it. */
  abandoned: boolean
}

const keyOf = ({ args, lua, name }: Command): string => JSON.stringify([name, lua, ...args])

/**
 * Identifies a command that asks for the same again. The maximum count may differ, because readers ask for more as they
 * learn how small answers are.
 */
const questionOf = (command: Command): string =>
  isRead(command.name)
    ? keyOf({ ...command, args: command.args.map((arg, index, args) => isCount(args, index) ? "" : arg) })
    : keyOf(command)

const isRead = (name: string): boolean => /^(?:B?[LR]M?POP|XREAD|XREADGROUP)$/.test(name)

const isCount = (args: ReadonlyArray<string>, index: number): boolean => args[index - 1]?.toUpperCase() === "COUNT"

/** The error of a connection that was lost on purpose, as a client words it. */
class LostConnection extends Error {
  override readonly name = "LostConnection"
  readonly code = "ECONNRESET"
  constructor() {
    super("Connection is closed. (RedisFaults)")
  }
}

const lostConnection = () => new Redis.RedisError({ cause: new LostConnection() })

/** The connections that are open. */
const makeLinks = () => {
  const open = new Set<Link>()

  const makeLink = (kind: Command["connection"]): Link => {
    const link: Link = { kind, lost: Deferred.makeUnsafe(), closed: false, abandoned: false }
    open.add(link)
    return link
  }
  const lose = (link: Link): void => {
    Deferred.doneUnsafe(link.lost, Exit.fail(lostConnection()))
    // The shared connection reconnects at once; a reserved one is lost for good.
    if (link.kind === "shared") link.lost = Deferred.makeUnsafe()
    else link.closed = true
  }
  const loseAll = (): void => {
    for (const link of open) lose(link)
  }
  return {
    make: makeLink,
    remove: (link: Link): void => {
      open.delete(link)
    },
    lose,
    loseAll
  }
}

export const make = Effect.fnUntraced(function*(
  inner: Redis.Redis["Service"],
  options: Options
): Effect.fn.Return<{ readonly redis: Redis.Redis["Service"]; readonly control: RedisFaults["Service"] }> {
  const seed = options.seed ?? (yield* Random.nextIntBetween(0, 2 ** 31))
  const faults = makeFaults(seed, options.policy)
  const links = makeLinks()
  const shared = links.make("shared")
  /** Replies to return once more, by the {@link questionOf} their commands. */
  const replies = new Map<string, unknown>()
  let isCut = false

  const forget = Effect.ignore(inner.send("SCRIPT", "FLUSH"))

  // Connections first: a waiting read is cut off, and gets no error about its missing group. The command that restarts
  // the server is cut off too, which must not keep the server from being emptied.
  const restart = Effect.sync(links.loseAll).pipe(
    Effect.andThen(options.restart ?? Effect.andThen(Effect.ignore(inner.send("FLUSHALL")), forget)),
    Effect.uninterruptible
  )

  const lost = (link: Link): Effect.Effect<never, Redis.RedisError> =>
    Effect.suspend(() => {
      links.lose(link)
      return Effect.fail(lostConnection())
    })

  const meet = <A>(
    fault: Fault,
    link: Link,
    command: Command,
    run: Effect.Effect<A, Redis.RedisError>
  ): Effect.Effect<A, Redis.RedisError> => {
    switch (fault._tag) {
      case "Fail":
        return lost(link)
      case "DropReply":
        return Effect.andThen(Effect.exit(run), lost(link))
      case "Refuse":
        return Effect.fail(new Redis.RedisError({ cause: new Error(fault.message) }))
      case "Delay":
        return fault.of === "command"
          ? Effect.andThen(Effect.sleep(fault.duration), run)
          : Effect.flatMap(Effect.exit(run), (exit) => Effect.andThen(Effect.sleep(fault.duration), exit))
      case "Hang":
        return Effect.andThen(Effect.exit(run), Effect.never)
      case "Repeat":
        return Effect.andThen(run, run)
      case "ReplyTwice":
        return Effect.tap(run, (reply) =>
          Effect.sync(() => {
            if (reply !== null) replies.set(questionOf(command), reply)
          }))
      case "ForgetScripts":
        return Effect.andThen(forget, run)
      case "RestartEmpty":
        return Effect.andThen(restart, Effect.fail(lostConnection()))
    }
  }

  const perform = <A>(
    link: Link,
    command: Command,
    run: Effect.Effect<A, Redis.RedisError>
  ): Effect.Effect<A, Redis.RedisError> =>
    Effect.suspend(() => {
      if (isCut || link.closed) return Effect.fail(lostConnection())
      const question = replies.size > 0 ? questionOf(command) : ""
      if (replies.has(question)) {
        // SAFETY: it was the reply to the same question.
        const reply = replies.get(question) as A
        replies.delete(question)
        return Effect.succeed(reply)
      }
      const fault = faults.choose(command)
      const lost = Deferred.await(link.lost)
      const noticed = Effect.tapCause(run, () =>
        Effect.sync(() => {
          link.abandoned = true
        }))
      return Effect.raceFirst(fault === undefined ? noticed : meet(fault, link, command, noticed), lost)
    })

  const through = (connection: Redis.Connection, link: Link): Redis.Connection => ({
    send: <A = unknown>(command: string, ...args: ReadonlyArray<string>) =>
      perform(
        link,
        { name: command.toUpperCase(), args, lua: undefined, connection: link.kind },
        connection.send<A>(command, ...args)
      ),
    eval: (script) => {
      const evaluate = connection.eval(script)
      return (...params) =>
        perform(
          link,
          { name: "EVAL", args: script.params(...params).map(String), lua: script.lua, connection: link.kind },
          evaluate(...params)
        )
    }
  })

  const reserve: Effect.Effect<Redis.Connection, Redis.RedisError, Scope.Scope> = Effect.gen(function*() {
    if (isCut) return yield* Effect.fail(lostConnection())
    const connection = yield* inner.reserve
    const link = yield* Effect.acquireRelease(
      Effect.sync(() => links.make("reserved")),
      (link) => {
        links.remove(link)
        // The underlying connection still works. A command that fails there keeps its pool from lending it again.
        return link.closed && !link.abandoned ? Effect.ignore(connection.send("CLIENT", "LOST")) : Effect.void
      }
    )
    return through(connection, link)
  })

  const control: RedisFaults["Service"] = {
    seed,
    next: (fault, match, times = 1) => Effect.sync(() => faults.add(fault, match, times)),
    always: (fault, match) => Effect.sync(() => faults.add(fault, match, Number.POSITIVE_INFINITY)),
    random: (policy) => Effect.sync(() => faults.random(policy)),
    cut: Effect.sync(() => {
      isCut = true
      links.loseAll()
    }),
    restore: Effect.sync(() => {
      isCut = false
    }),
    disconnect: Effect.sync(links.loseAll),
    restart,
    clear: Effect.sync(() => {
      isCut = false
      faults.clear()
      replies.clear()
    }),
    injected: Effect.sync(faults.injected)
  }
  // A layer may have marks of its own, such as that of a cluster.
  return { redis: { ...inner, ...through(inner, shared), reserve, subscribe: inner.subscribe }, control }
})
