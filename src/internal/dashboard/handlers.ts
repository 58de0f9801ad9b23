/** The endpoints over the inspector. Each asks for its permission first; there is no way around it. */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as DeadLetter from "../../DeadLetter.ts"
import type * as Inspector from "../../Inspector.ts"
import type { QueueNamingShape } from "../../QueueNaming.ts"
import type { Redis } from "../../Redis.ts"
import * as audit from "./audit.ts"
import { entryOf } from "./entries.ts"
import { asProblem, type Problem } from "./failures.ts"
import type * as models from "./models.ts"
import { permit, type Policy, type Wanted } from "./permit.ts"
import * as verbs from "./verbs.ts"

type Groups = typeof models.LetterGroups.Type
type Services = typeof models.Services.Type

/** How long all users of this process share what was counted. */
const sharedFor = Duration.seconds(5)

export interface Desk {
  readonly policy: Policy
  readonly inspector: Inspector.Inspector["Service"]
  readonly redis: Redis["Service"]
  readonly naming: QueueNamingShape
}

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

/** One run at a time, shared by all who ask within some seconds. */
const shared = <A, E>(effect: Effect.Effect<A, E>) => Effect.cachedWithTTL(effect, sharedFor)

const now = DateTime.now

/** Everything that the endpoints and the live stream share. */
export const make = Effect.fnUntraced(function*({ inspector, naming, policy, redis }: Desk) {
  const read = <A, E extends { readonly _tag: string; readonly message: string }>(
    name: string,
    service: string | undefined,
    effect: Effect.Effect<A, E>
  ) => allowed(policy, { name, kind: "read", service }, () => effect)

  const names = Effect.map(inspector.services(), ({ services }) => services.map(({ service }) => service))

  /** A service that cannot be read does not hide the others. */
  const services: Effect.Effect<Services, Problem> = yield* Effect.gen(function*() {
    const failures: Array<{ service: string; message: string }> = []
    const found: Array<Inspector.Overview> = []
    for (const service of yield* asProblem(names)) {
      yield* inspector.overview(service).pipe(
        Effect.map((overview) => found.push(overview)),
        Effect.catch(({ message }) => Effect.sync(() => failures.push({ service, message })))
      )
    }
    return { services: found, failures }
  }).pipe((effect) => Effect.cachedWithTTL(effect, "1 second"))

  const groupsOf = new Map<string, Effect.Effect<Groups, Problem>>()

  const countGroups = (service: string): Effect.Effect<Groups, Problem> =>
    Effect.gen(function*() {
      const letters = yield* inspector.deadLetters(service)
      const asOf = yield* now
      const { groups, total } = yield* letters.summary()
      return { asOf, total, groups }
    }).pipe(asProblem)

  /** Counting reads all letters, so users share it; a verb begins it again. */
  const groups = (service: string) =>
    Effect.suspend(() => {
      const known = groupsOf.get(service)
      if (known !== undefined) return known
      return Effect.flatMap(shared(countGroups(service)), (made) => {
        if (groupsOf.size > 1_000) groupsOf.clear()
        groupsOf.set(service, made)
        return made
      })
    })

  const letters = (service: string, options: DeadLetter.ListOptions) =>
    Effect.flatMap(inspector.deadLetters(service), (dead) => dead.list({ order: "newest", ...options }))

  const list = (service: string, state: Inspector.State, options: Inspector.ListOptions) =>
    Effect.map(inspector.list(service, state, { ...options, order: "newest" }), ({ cursor, entries }) => ({
      entries: entries.map(entryOf),
      cursor
    }))

  const action = (
    service: string,
    { by, id, payload }: { readonly by: "entry" | "action"; readonly id: string; readonly payload: boolean }
  ) =>
    allowed(policy, { name: "action", kind: payload ? "payload" : "read", service }, () =>
      Effect.map(
        inspector.find(by === "entry" ? { service, entryId: id } : { service, actionId: id }, { payload }),
        ({ complete, entry, looked }) => ({ complete, looked, entry: entry === undefined ? undefined : entryOf(entry) })
      ))

  const auditRows = Effect.map(
    Effect.flatMap(names, (services) => Effect.forEach(services, (service) => audit.read(redis, naming, service))),
    (rows) => rows.flat().sort((a, b) => DateTime.toEpochMillis(b.time) - DateTime.toEpochMillis(a.time)).slice(0, 400)
  )

  const verb = (service: string, asked: models.Verb) =>
    allowed(policy, { name: asked.verb, kind: "write", service }, (user) =>
      Effect.gen(function*() {
        // Names of services come from the path, and the audit must not make keys of services that do not exist.
        yield* asProblem(inspector.pauses(service))
        const { verb: name, ...subject } = asked
        const written = yield* asProblem(
          audit.asked(redis, naming, { service, user, verb: name, subject: JSON.stringify(subject) })
        )
        const result = yield* verbs.run(inspector, service, asked).pipe(
          Effect.tapError(({ message }) => Effect.ignore(audit.ended(redis, written, `failed: ${message}`)))
        )
        groupsOf.delete(service)
        yield* Effect.ignore(audit.ended(redis, written, `done: ${result.done}, left: ${result.left}`))
        return result
      }))

  return {
    session: allowed(
      policy,
      { name: "session", kind: "read", service: undefined },
      (user) => Effect.succeed({ user, readOnly: policy.readOnly })
    ),
    services: read("services", undefined, services),
    overview: (service: string) => read("overview", service, inspector.overview(service)),
    list: (service: string, state: Inspector.State, options: Inspector.ListOptions) =>
      read("list", service, list(service, state, options)),
    action,
    statistics: (service: string, minutes: number) =>
      read("statistics", service, inspector.statistics(service, { last: Duration.minutes(minutes) })),
    schedules: (service: string) => read("schedules", service, inspector.schedules(service)),
    groups: (service: string) => read("groups", service, groups(service)),
    letters: (service: string, options: DeadLetter.ListOptions) => read("letters", service, letters(service, options)),
    dryRun: (service: string, filter: DeadLetter.Filter) => read("dryRun", service, inspector.dryRun(service, filter)),
    audit: read("audit", undefined, auditRows),
    verb,
    /** Without a permission of its own: the live stream asks when it begins. */
    snapshot: services
  }
})

export type Handlers = Effect.Success<ReturnType<typeof make>>
