/** `services`, `consumers`, `list` and `show`: what is in Redis. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Inspector from "../../Inspector.ts"
import { service } from "../connect.ts"
import { notDone } from "../failure.ts"
import * as Flags from "../flags.ts"
import { inspector, target, targetOf, targetType } from "../inspecting.ts"
import { note, show as print } from "../screen.ts"
import { type Column, pairs } from "../table.ts"
import { duration, number, relative, safe, text, time } from "../text.ts"

// -----------------------------------------------------------------------------
// services and consumers
// -----------------------------------------------------------------------------

const serviceColumns: ReadonlyArray<Column<Inspector.ServiceFound>> = [
  { title: "service", cell: ({ service }) => text(service), cut: true },
  { title: "entries", cell: ({ length }) => number(length), align: "right" },
  {
    title: "dead letters",
    cell: ({ deadLetters }) => number(deadLetters),
    align: "right",
    paint: ({ deadLetters }, text, style) => deadLetters > 0 ? style.bad(text) : text
  },
  { title: "workers seen", cell: ({ hasWorkers }) => hasWorkers ? "yes" : "no" }
]

export const services = Command.make("services", {}, () =>
  Effect.gen(function*() {
    const found = yield* Inspector.Inspector.use(({ services }) => services({ scan: true }))
    yield* print(found, (_, screen) =>
      found.services.length === 0
        ? ["There are no services with this prefix in this environment."]
        : screen.table(found.services, serviceColumns))
    if (!found.complete) yield* note("Not all keys were scanned: there may be more")
  }).pipe(Effect.provide(inspector))).pipe(
    Command.withDescription("List the services of an environment. Needs the right to SCAN"),
    Command.withExamples([{ command: "redis-workers services -e production" }])
  )

const consumerColumns: ReadonlyArray<Column<Inspector.Consumer>> = [
  { title: "consumer", cell: ({ name }) => text(name), cut: true },
  { title: "holds", cell: ({ pending }) => number(pending), align: "right" },
  { title: "silent for", cell: ({ idle }) => duration(idle), align: "right" },
  {
    title: "state",
    cell: ({ stale }) => stale ? "stale" : "alive",
    paint: ({ stale }, text, style) => stale ? style.caution(text) : style.good(text)
  }
]

export const consumers = Command.make("consumers", {}, () =>
  Effect.gen(function*() {
    const name = yield* service
    const consumers = yield* Inspector.Inspector.use((inspector) => inspector.consumers(name))
    yield* print({ service: name, consumers }, (_, screen) =>
      consumers.length === 0
        ? ["There are no consumers: no worker has read from this service."]
        : screen.table(consumers, consumerColumns))
  }).pipe(Effect.provide(inspector))).pipe(
    Command.withDescription("List the consumers of a service. A stale one was silent for longer than its lease"),
    Command.withExamples([{ command: "redis-workers consumers -s payment" }])
  )

// -----------------------------------------------------------------------------
// list
// -----------------------------------------------------------------------------

const idOf = (entry: Inspector.Entry): string =>
  entry.state === "scheduled" || entry.state === "queued"
    ? entry.parkingId
    : entry.state === "dead"
    ? entry.letter.id
    : entry.entryId

const about = (entry: Inspector.Entry): string => {
  switch (entry.state) {
    case "waiting":
      return ""
    case "running":
      return `${safe(entry.consumer)}, delivered ${entry.deliveries}×`
    case "retrying":
      return entry.lastError === undefined
        ? `after ${entry.attempts} attempts`
        : `${text(entry.lastError.type)}: ${text(entry.lastError.message)}`
    case "scheduled":
      return ""
    case "queued":
      return `in the lane ${text(entry.lane.name ?? entry.lane.type)}`
    case "dead":
      return `${entry.letter.reason} ${text(entry.letter.errorType)}: ${text(entry.letter.message)}`
  }
}

const when = (entry: Inspector.Entry, now: DateTime.Utc): string => {
  if (entry.state === "retrying" && entry.dueAt === undefined) return "when resumed"
  if (entry.state === "retrying" || entry.state === "scheduled") return `due ${relative(entry.dueAt, now)}`
  if (entry.state === "queued") return relative(entry.since, now)
  return relative(entry.state === "dead" ? entry.letter.time : entry.addedAt, now)
}

const columns = (
  entries: ReadonlyArray<Inspector.Entry>,
  now: DateTime.Utc,
  withPayload: boolean
): ReadonlyArray<Column<Inspector.Entry>> => [
  { title: "id", cell: (entry) => text(idOf(entry)) },
  { title: "type", cell: ({ actionType }) => text(actionType), cut: true },
  { title: "when", cell: (entry) => when(entry, now) },
  ...(entries.some((entry) => about(entry) !== "") ? [{ title: "about", cell: about, cut: true }] : []),
  { title: "bytes", cell: ({ size }) => number(size), align: "right" as const, rank: 1 },
  { title: "action id", cell: ({ actionId }) => text(actionId), rank: 2 },
  ...(withPayload
    ? [{ title: "payload", cell: ({ payload }: Inspector.Entry) => text(payloadText(payload)), cut: true }]
    : [])
]

const payloadText = (payload: Inspector.Payload | undefined): string | undefined =>
  payload?.withheld === undefined ? payload?.text : `(hidden: ${payload.withheld})`

export const list = Command.make("list", {
  state: Argument.Literals("state", ["waiting", "running", "retrying", "scheduled", "queued", "dead"]).pipe(
    Argument.withDescription("Where the actions are")
  ),
  type: Flags.optionalText("type", "type", "Only actions of this type"),
  limit: Flags.limit(20, "The maximum number of actions, at most 400. Default: 20"),
  cursor: Flags.optionalText("cursor", "text", "Go on where the previous page ended"),
  newest: Flags.flag("newest", "The newest first, of waiting actions and dead letters. Default: the oldest first"),
  payload: Flags.payload
}, ({ cursor, limit, newest, payload, state, type }) =>
  Effect.gen(function*() {
    const name = yield* service
    const order = newest ? "newest" as const : "oldest" as const
    const options = { limit, order, payload, ...Flags.given({ cursor, actionType: type }) }
    const page = yield* Inspector.Inspector.use((inspector) => inspector.list(name, state, options))
    const now = yield* DateTime.now
    yield* print({ service: name, state, ...page }, (_, screen) =>
      page.entries.length === 0
        ? [`There are no ${state} actions${page.cursor === undefined ? "" : " on this page"}.`]
        : screen.table(page.entries, columns(page.entries, now, payload)))
    if (page.cursor !== undefined) yield* note(`There are more: --cursor "${safe(page.cursor)}"`)
  }).pipe(Effect.provide(inspector))).pipe(
    Command.withDescription("List actions by state, without their payloads"),
    Command.withExamples([
      { command: "redis-workers list waiting -s payment", description: "What is in the queue" },
      { command: "redis-workers list retrying -s payment", description: "What waits for its next attempt, and why" }
    ])
  )

// -----------------------------------------------------------------------------
// show
// -----------------------------------------------------------------------------

const detailsOf = (entry: Inspector.Entry, now: DateTime.Utc): ReadonlyArray<readonly [string, string]> => {
  switch (entry.state) {
    case "waiting":
      return [["entry", entry.entryId], ["added", `${time(entry.addedAt)} (${relative(entry.addedAt, now)})`]]
    case "running":
      return [
        ["entry", entry.entryId],
        ["added", `${time(entry.addedAt)} (${relative(entry.addedAt, now)})`],
        ["consumer", text(entry.consumer)],
        ["renewed", `${duration(entry.idle)} ago`],
        ["attempts", `${entry.attempts} failed before, delivered ${entry.deliveries} times`]
      ]
    case "retrying":
      return [
        ["entry", entry.entryId],
        ["added", `${time(entry.addedAt)} (${relative(entry.addedAt, now)})`],
        [
          "due",
          entry.dueAt === undefined
            ? "when its type is resumed"
            : `${time(entry.dueAt)} (${relative(entry.dueAt, now)})`
        ],
        ["attempts", `${entry.attempts} failed, delivered ${entry.deliveries} times`],
        ["last error", about(entry)]
      ]
    case "scheduled":
      return [
        ["parking id", text(entry.parkingId)],
        ["due", `${time(entry.dueAt)} (${relative(entry.dueAt, now)})`],
        ["expires", time(entry.expiresAt)]
      ]
    case "queued":
      return [
        ["parking id", text(entry.parkingId)],
        ["lane", `${text(entry.lane.name ?? entry.lane.type)} (${entry.lane.id})`],
        ["waits since", `${time(entry.since)} (${relative(entry.since, now)})`],
        ["expires", time(entry.expiresAt)]
      ]
    case "dead":
      return [
        ["letter", entry.letter.id],
        ["written", `${time(entry.letter.time)} (${relative(entry.letter.time, now)})`],
        ["reason", entry.letter.reason],
        ["error", `${text(entry.letter.errorType)}: ${text(entry.letter.message)}`],
        ["attempts", `${entry.letter.attempts}, replayed ${entry.letter.hops} times`]
      ]
  }
}

export const show = Command.make(
  "show",
  { target, type: targetType, payload: Flags.payload },
  ({ payload, target, type }) =>
    Effect.gen(function*() {
      const wanted = yield* targetOf(target, type)
      const found = yield* Inspector.Inspector.use((inspector) => inspector.find(wanted, { payload }))
      const { complete, entry, looked } = found
      if (entry === undefined) {
        return yield* notDone(
          complete
            ? `There is no such action in ${wanted.service}: it has ended, or the id is wrong. Actions that ended leave no record: look at logs and traces`
            : `The action was not found among the newest ${
              number(looked)
            } entries of ${wanted.service}. Its receipt or entry id finds it at once`
        )
      }
      const now = yield* DateTime.now
      yield* print({ service: wanted.service, ...found }, (_, { style }) =>
        pairs([
          ["state", entry.state],
          ["type", text(entry.actionType)],
          ["action id", text(entry.actionId)],
          ...detailsOf(entry, now),
          ["correlation id", text(entry.correlationId)],
          ["trace id", text(entry.traceId)],
          ["size", `${number(entry.size)} bytes`],
          ...(entry.verdict === undefined
            ? []
            : [
              [
                "contract",
                entry.verdict.fits ? "accepts the payload" : `refuses the payload: ${text(entry.verdict.issue)}`
              ] as const
            ]),
          ...(payload ? [["payload", text(payloadText(entry.payload))] as const] : [])
        ], style))
      if (!payload) yield* note("The payload is hidden: --payload shows it")
    }).pipe(Effect.provide(inspector))
).pipe(
  Command.withDescription("Show where an action is and why. Status 1 if it has ended"),
  Command.withExamples([
    { command: "redis-workers show 1764525600000-0 -s payment", description: "By its entry id" },
    {
      command: "redis-workers show \"order 1042\" --type payment.charge -s payment",
      description: "By an id of your own"
    }
  ])
)
