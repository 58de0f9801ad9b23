/** Checks of a service: its groups and workers, what nothing reads, pauses, and dead letters. */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Inspector from "../../Inspector.ts"
import { count, duration, relative, safe } from "../text.ts"
import { type Finding, finding, ok } from "./finding.ts"

const workers = (overview: Inspector.Overview, service: string): Finding => {
  const { consumers, groups, lag, lease } = overview
  const own = groups.find(({ own }) => own)
  if (own === undefined) {
    return finding(
      "workers",
      "problem",
      "no worker has ever read this stream",
      `Start a worker with SERVICE_NAME=${service} in this environment`
    )
  }
  const alive = consumers.filter(({ stale }) => !stale)
  if (alive.length > 0) return ok("workers", `${count(alive.length, "consumer")} of the group ${safe(own.name)}`)
  return finding(
    "workers",
    (lag ?? 0) > 0 || overview.pending > 0 ? "problem" : "warning",
    `no consumer was active within ${lease === undefined ? "the lease" : duration(lease)}`,
    "Start a worker. Entries that dead processes held are taken over by it"
  )
}

const foreign = ({ groups }: Inspector.Overview): Finding => {
  const others = groups.filter(({ own }) => !own)
  return others.length === 0
    ? ok("groups", "one group reads the stream")
    : finding(
      "groups",
      "warning",
      `${others.map(({ name, pending }) => `${safe(name)} (${pending} pending)`).join(", ")} read${
        others.length === 1 ? "s" : ""
      } the stream too`,
      "If it is not used: XGROUP DESTROY. A group that does not read keeps all entries in the stream"
    )
}

/** Entries wait, workers are alive, and nothing is paused: those workers serve something else, or are stuck. */
const serving = (overview: Inspector.Overview): Finding => {
  const { asOf, consumers, lag, oldestWaiting, pauses } = overview
  const alive = consumers.filter(({ stale }) => !stale)
  const waits = oldestWaiting === undefined ? 0 : DateTime.toEpochMillis(asOf) - DateTime.toEpochMillis(oldestWaiting)
  if ((lag ?? 0) === 0 || alive.length === 0 || pauses.length > 0 || waits < 60_000) {
    return ok("backlog", lag === undefined ? "the server cannot tell" : count(lag, "action waits", "actions wait"))
  }
  const idle = alive.every(({ pending }) => pending === 0)
  return finding(
    "backlog",
    "warning",
    `the oldest of ${count(lag ?? 0, "action")} waits since ${duration(Duration.millis(waits))}`,
    idle
      ? "Workers are there and hold nothing: look at their log, they may be blocked"
      : "All slots are in use: start more workers"
  )
}

const pauses = ({ asOf, pauses }: Inspector.Overview, service: string): Finding =>
  pauses.length === 0
    ? ok("pauses", "nothing is paused")
    : finding(
      "pauses",
      "warning",
      pauses.map(({ actionType, until }) =>
        `${actionType === undefined ? "the service" : safe(actionType)} ${
          until === undefined ? "until resumed" : `ends ${relative(until, asOf)}`
        }`
      ).join(", "),
      `redis-workers resume ${
        pauses[0]?.actionType === undefined ? "" : `${safe(pauses[0].actionType)} `
      }--service ${service}`
    )

const letters = ({ asOf, deadLetters, newestDeadLetter }: Inspector.Overview, service: string): Finding =>
  deadLetters === 0
    ? ok("dead letters", "none")
    : finding(
      "dead letters",
      "warning",
      `${count(deadLetters, "dead letter")}, the newest ${relative(newestDeadLetter, asOf)}`,
      `redis-workers dead groups --service ${service}`
    )

const overdue = ({ asOf, nextScheduled, scheduled }: Inspector.Overview): Finding => {
  const late = nextScheduled === undefined ? 0 : DateTime.toEpochMillis(asOf) - DateTime.toEpochMillis(nextScheduled)
  return late > 10_000
    ? finding(
      "scheduled",
      "problem",
      `an action is due since ${duration(Duration.millis(late))}`,
      "Start a worker of version 0.2 or newer: only workers let scheduled actions in"
    )
    : ok("scheduled", count(scheduled, "action waits", "actions wait"))
}

/** The first of many names, and how many more there are. */
const some = (names: ReadonlyArray<string>): string =>
  names.slice(0, 5).join(", ") + (names.length > 5 ? ` and ${names.length - 5} more` : "")

const stale = ({ callbackLists, complete, consumers, responseLists }: Inspector.Stale): ReadonlyArray<Finding> => [
  consumers.length === 0
    ? ok("stale consumers", "none")
    : finding(
      "stale consumers",
      "warning",
      `${some(consumers.map(({ name }) => safe(name)))} hold entries and are silent`,
      "A running worker takes their entries over after the lease; if none runs, start one"
    ),
  callbackLists.length === 0
    ? ok("callback lists", complete ? "none is left unread" : "not all keys were scanned")
    : finding(
      "callback lists",
      "warning",
      some(callbackLists.map(({ length, list }) => `${safe(list)} (${length})`)),
      "No worker reads these lists: give a worker the callback action, or delete the list"
    ),
  responseLists.length === 0
    ? ok("response lists", complete ? "all expire" : "not all keys were scanned")
    : finding(
      "response lists",
      "warning",
      responseLists.map(({ length, list }) => `${safe(list)} (${length})`).join(", "),
      "These lists have no expiry: another program writes them. Set one with PEXPIRE, or delete the list"
    )
]

export const serviceFindings = (
  overview: Inspector.Overview,
  found: Inspector.Stale | undefined
): ReadonlyArray<Finding> => {
  const { service } = overview
  return [
    workers(overview, service),
    serving(overview),
    foreign(overview),
    pauses(overview, service),
    overdue(overview),
    letters(overview, service),
    ...(found === undefined
      ? [
        finding(
          "stale lists",
          "skipped",
          "this user may not SCAN",
          "Run doctor as an administrator to find lists that nothing reads"
        )
      ]
      : stale(found))
  ]
}

/** The checks of a service. `undefined` without the right to look at it. */
export const look = (inspector: Inspector.Inspector["Service"], service: string) =>
  Effect.gen(function*() {
    const overview = yield* inspector.overview(service)
    const found = yield* Effect.catch(inspector.stale(service, { scan: true }), () => Effect.undefined)
    return serviceFindings(overview, found)
  })
