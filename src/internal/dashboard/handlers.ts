/** The endpoints over the inspector. Each asks for its permission first; there is no way around it. */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as DeadLetter from "../../DeadLetter.ts"
import type * as Inspector from "../../Inspector.ts"
import type { QueueNamingShape } from "../../QueueNaming.ts"
import type { Redis } from "../../Redis.ts"
import { permitting } from "../inspector/errorsOf.ts"
import * as audit from "./audit.ts"
import { entryOf } from "./entries.ts"
import { asProblem, type Problem } from "./failures.ts"
import * as glance from "./glance.ts"
import * as groups from "./groups.ts"
import type * as models from "./models.ts"
import { permit, type Policy, type Wanted } from "./permit.ts"
import * as verbs from "./verbs.ts"

export interface Desk {
  readonly policy: Policy
  readonly inspector: Inspector.Inspector["Service"]
  readonly redis: Redis["Service"]
  readonly naming: QueueNamingShape
}

/** Entries of a page, and how many pages of the inspector may make one. */
const usualLimit = 100
const mostSteps = 50

/** Runs an effect if the user may. */
const allowed = <A, E extends { readonly _tag: string; readonly message: string }>(
  policy: Policy,
  wanted: Wanted,
  effect: (user: string) => Effect.Effect<A, E>
): Effect.Effect<A, Problem, HttpServerRequest.HttpServerRequest> =>
  Effect.flatMap(
    HttpServerRequest.HttpServerRequest,
    (request) => Effect.flatMap(permit(policy, request, wanted), (user) => asProblem(effect(user)))
  )

/** Everything that the endpoints and the live stream share. */
export const make = Effect.fnUntraced(function*({ inspector, naming, policy, redis }: Desk) {
  const read = <A, E extends { readonly _tag: string; readonly message: string }>(
    name: string,
    service: string | undefined,
    effect: Effect.Effect<A, E>
  ) => allowed(policy, { name, kind: "read", service }, () => effect)

  const { names, services } = yield* glance.make(inspector)
  const counts = groups.make(inspector, redis, naming)

  const letters = (service: string, options: DeadLetter.ListOptions) =>
    Effect.flatMap(inspector.deadLetters(service), (dead) => dead.list({ order: "newest", ...options }))

  /** With a filter, a page of the inspector may be short: those after it fill this one, up to a bound. */
  const list = Effect.fnUntraced(function*(
    service: string,
    state: Inspector.State,
    { limit = usualLimit, ...options }: Inspector.ListOptions
  ) {
    const entries: Array<Inspector.Entry> = []
    let cursor = options.cursor
    let steps = 0
    do {
      const page: Inspector.Page = yield* inspector.list(service, state, {
        ...options,
        cursor,
        limit: limit - entries.length,
        order: "newest"
      })
      entries.push(...page.entries)
      cursor = page.cursor
    } while (cursor !== undefined && entries.length < limit && ++steps < mostSteps)
    return { entries: entries.map(entryOf), cursor }
  })

  const action = (
    service: string,
    { by, id, payload = "no" }: {
      readonly by: "entry" | "action"
      readonly id: string
      readonly payload?: "yes" | "no" | "check" | undefined
    }
  ) =>
    allowed(policy, { name: "action", kind: payload === "yes" ? "payload" : "read", service }, () =>
      Effect.map(
        inspector.find(by === "entry" ? { service, entryId: id } : { service, actionId: id }, {
          payload: payload !== "no"
        }),
        ({ complete, entry, looked }) => {
          const found = entry === undefined ? undefined : entryOf(entry)
          // The verdict is found with the payload, which stays here unless it was asked for.
          return {
            complete,
            looked,
            entry: found === undefined || payload === "yes" ? found : { ...found, payload: undefined }
          }
        }
      ))

  const auditRows = (only: string | undefined) =>
    Effect.map(
      Effect.flatMap(only === undefined ? names : Effect.as(asProblem(inspector.pauses(only)), [only]), (services) =>
        Effect.forEach(services, (service) =>
          asProblem(permitting(service, "read the audit")(audit.read(redis, naming, service))), { concurrency: 8 })),
      (rows) =>
        rows.flat().sort((a, b) =>
          DateTime.toEpochMillis(b.time) - DateTime.toEpochMillis(a.time)
        ).slice(0, 400)
    )

  const verb = (service: string, asked: models.Verb) =>
    allowed(policy, { name: asked.verb, kind: "write", service }, (user) =>
      Effect.gen(function*() {
        // Names of services come from the path, and the audit must not make keys of services that do not exist.
        yield* asProblem(inspector.pauses(service))
        const { verb: name, ...subject } = asked
        const written = yield* asProblem(
          permitting(service, "write to the audit")(
            audit.asked(redis, naming, { service, user, verb: name, subject: JSON.stringify(subject) })
          )
        )
        const result = yield* verbs.run(inspector, service, asked).pipe(
          Effect.tapError(({ message }) => Effect.ignore(audit.ended(redis, written, `failed: ${message}`)))
        )
        counts.forget(service)
        yield* Effect.ignore(audit.ended(redis, written, `done: ${result.done}, left: ${result.left}`))
        return result
      }))

  return {
    session: allowed(
      policy,
      { name: "session", kind: "read", service: undefined },
      (user) => Effect.succeed({ user, readOnly: policy.readOnly, traceUrl: policy.traceUrl })
    ),
    services: read("services", undefined, services),
    overview: (service: string) => read("overview", service, inspector.overview(service)),
    list: (service: string, state: Inspector.State, options: Inspector.ListOptions) =>
      read("list", service, list(service, state, options)),
    action,
    statistics: (service: string, minutes: number) =>
      read("statistics", service, inspector.statistics(service, { last: Duration.minutes(minutes) })),
    schedules: (service: string) => read("schedules", service, inspector.schedules(service)),
    matching: (service: string, state: Inspector.PurgeFilter["state"], actionType: string | undefined) =>
      read("matching", service, inspector.purge(service, { state, actionType }, { dryRun: true })),
    laneNames: (service: string) => read("laneNames", service, inspector.laneNames(service)),
    /** Keys are part of payloads. */
    lanes: (service: string, options: Inspector.LanesOptions) =>
      allowed(
        policy,
        { name: "lanes", kind: options.keys === true ? "payload" : "read", service },
        () => inspector.lanes(service, options)
      ),
    queued: (service: string, lane: string, options: Inspector.QueuedOptions) =>
      read(
        "queued",
        service,
        Effect.map(
          inspector.queued(service, { id: lane }, options),
          ({ cursor, entries }) => ({ entries: entries.map(entryOf), cursor })
        )
      ),
    groups: (service: string) => read("groups", service, counts.of(service)),
    letters: (service: string, options: DeadLetter.ListOptions) => read("letters", service, letters(service, options)),
    dryRun: (service: string, filter: DeadLetter.Filter) => read("dryRun", service, inspector.dryRun(service, filter)),
    audit: (service: string | undefined) => read("audit", service, auditRows(service)),
    verb,
    /** Without a permission of its own: the live stream asks when it begins. */
    snapshot: services
  }
})

export type Handlers = Effect.Success<ReturnType<typeof make>>
