/**
 * Assembles a worker from its host, its consumers and the other parts, and runs the commands that precede the first
 * read.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { WorkerStatus } from "../../Worker.ts"
import { Unsupported, WorkerError } from "../../WorkerError.ts"
import { problemOfNames } from "../redis/cluster.ts"
import { ensureGroup } from "../redis/group.ts"
import * as neighbours from "../redis/neighbours.ts"
import { rehearse } from "../scripts/rehearse.ts"
import * as Crew from "./crew.ts"
import * as End from "./end.ts"
import { hints, laterHints } from "./hints.ts"
import * as Host from "./host.ts"
import type { Part } from "./part.ts"
import { Parts } from "./parts.ts"
import { started } from "./reading.ts"
import { StartObserver } from "./startObserver.ts"
import { statusOf } from "./status.ts"
import { needOneGroup } from "./upkeep/lanes.ts"

export interface Assembly extends End.End {
  readonly host: Host.Host
  /** Reads, claims and promotes. */
  readonly takes: Effect.Effect<void, WorkerError>
  /** Renews, writes and samples. Continues until everything is written. */
  readonly keeps: Effect.Effect<void, WorkerError>
  readonly status: () => Omit<WorkerStatus, "state">
}

/** Runs one phase of all parts concurrently. */
const together = <E>(parts: ReadonlyArray<Part>, phase: (part: Part) => Effect.Effect<unknown, E> | undefined) =>
  Effect.all(parts.flatMap((part) => phase(part) ?? []), { concurrency: "unbounded", discard: true })

/** The first commands. Afterwards the group exists, the user has all permissions, and the parts have started. */
const start = Effect.fnUntraced(function*({ names, redis, server }: Host.Host, parts: ReadonlyArray<Part>) {
  yield* server.sample
  yield* ensureGroup(redis, names)
  const newestId = String(yield* redis.eval(rehearse.script)(names))
  for (const { starts } of parts) {
    const problem = starts === undefined ? undefined : yield* starts
    if (problem !== undefined) return { newestId, problem }
  }
  return { newestId }
})

export const assemble = Effect.fnUntraced(function*(input: Host.HostInput) {
  const host = yield* Host.make(input)
  const { context, names, options, redis, routes } = host
  const spread = problemOfNames(redis, host.naming, names)
  if (spread !== undefined) {
    return yield* new WorkerError({ reason: new Unsupported({ message: spread, cause: undefined }) })
  }
  yield* neighbours.seat(redis, options.consumers)
  const place = yield* neighbours.join(redis, names.stream, routes.keys())
  Context.get(context, StartObserver)?.(host.trouble)

  const crew = Crew.make(host)
  yield* Crew.registerInFlight(host, crew)
  const parts = Context.get(context, Parts).flatMap((make) => make(host, crew) ?? [])

  const { newestId, problem } = yield* host.trouble.around(
    `starting the worker of ${names.stream}`,
    start(host, parts)
  )
  if (problem !== undefined) return yield* problem
  yield* needOneGroup(host)
  const found = { newestId, shared: place.shared }
  // The lines of handlers have annotations of their own.
  const named = Effect.annotateLogs({ service: names.service })
  for (const hint of hints) yield* named(hint(host, found))
  yield* started(host)
  const later: Part = { takes: Effect.forEach(laterHints, (hint) => hint(host, found), { discard: true }) }

  // The parts come first, so that they have started when the first read is sent.
  const all = [...parts, Crew.messages(crew), later]
  const assembly: Assembly = {
    host,
    takes: named(together(all, ({ takes }) => takes)),
    keeps: named(together(all, ({ keeps }) => keeps)),
    ...End.make(host, crew, place.leave),
    status: () => statusOf(host, crew)
  }
  return assembly
})
