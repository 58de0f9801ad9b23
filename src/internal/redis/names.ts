/**
 * The names that the library uses, all derived from the functions of `QueueNaming`. A new key needs no change of a
 * naming: it is a function here, and, if it belongs to the state of a service, a field of `Names`.
 *
 * Parts are checked here before a naming sees them, so a custom naming has nothing to check.
 */
import type { Kind, QueueNamingShape } from "../../QueueNaming.ts"
import * as parts from "./nameParts.ts"

const { need } = parts

const key = (naming: QueueNamingShape, service: string, ...rest: ReadonlyArray<string>): string =>
  naming.key(need(parts.service, service), ...rest)

const inLists = (actionType: string): string => need(parts.actionType, actionType).replaceAll(".", "_")

// -----------------------------------------------------------------------------
// streams
// -----------------------------------------------------------------------------

/** The stream of a service's actions. */
export const actionStream = (naming: QueueNamingShape, service: string): string =>
  key(naming, service, "streams", "main")

/** The stream of actions that could not be handled. */
export const deadLetterStream = (naming: QueueNamingShape, service: string): string =>
  key(naming, service, "streams", "dead")

/** The stream of what users of the dashboard did to a service. */
export const auditStream = (naming: QueueNamingShape, service: string): string => key(naming, service, "audit")

// -----------------------------------------------------------------------------
// lists
// -----------------------------------------------------------------------------

/** The list for the answer to one request of a client of `service`. */
export const responseList = (
  naming: QueueNamingShape,
  service: string,
  actionType: string,
  correlationId: string
): string => key(naming, service, "responses", inLists(actionType), need(parts.correlation, correlationId))

/** The list for one callback, as Python clients name it. */
export const callbackList = (
  naming: QueueNamingShape,
  service: string,
  callbackActionType: string,
  correlationId: string
): string => key(naming, service, "callbacks", inLists(callbackActionType), need(parts.correlation, correlationId))

/**
 * The list for all callbacks of a type. Types that differ only in `.` and `_` share it, which does no harm, because a
 * callback contains its type.
 */
export const callbackInbox = (naming: QueueNamingShape, service: string, callbackActionType: string): string =>
  key(naming, service, "callbacks", inLists(callbackActionType), "inbox")

/** The list for all answers of the service `answering` to one client of the service `client`. */
export const inbox = (naming: QueueNamingShape, client: string, answering: string, instance: string): string =>
  naming.inbox(need(parts.service, client), need(parts.service, answering), need(parts.instance, instance))

// -----------------------------------------------------------------------------
// consumers
// -----------------------------------------------------------------------------

/** A consumer. An empty suffix is left out. */
export const consumer = (naming: QueueNamingShape, service: string, suffix: string, unique: string): string =>
  naming.consumer(
    need(parts.service, service),
    suffix === "" ? "" : need(parts.suffix, suffix),
    need(parts.unique, unique)
  )

/** The consumer that owns entries waiting for their next attempt. All workers of a group use the same. */
export const waitingConsumer = (service: string): string => `${need(parts.service, service)}-waiting`

// -----------------------------------------------------------------------------
// names in messages
// -----------------------------------------------------------------------------

/** Longer than any name of the wire format with valid parts. */
export const maxNameLength = 1024

const kinds: ReadonlyArray<Kind> = ["response", "callback", "stream"]

// oxlint-disable-next-line no-control-regex -- those are what is looked for
const control = /[\u0000-\u001f\u007f]/

/**
 * Whether a worker may write to a name from a message, for the given use. Names that are too long or contain control
 * characters are rejected without asking the naming, and an exception counts as a rejection, because a message must not
 * end a worker.
 */
export const accepts = (naming: QueueNamingShape) => (name: string, kind: Kind): boolean => {
  if (name.length === 0 || name.length > maxNameLength || control.test(name)) return false
  try {
    return naming.accepts(name, kind)
  } catch {
    return false
  }
}

// -----------------------------------------------------------------------------
// the state of a service
// -----------------------------------------------------------------------------

/** The names for a worker and the dead letters of one service, built once. */
export interface Names {
  readonly service: string
  readonly group: string
  readonly waitingConsumer: string
  readonly stream: string
  readonly deadLetters: string
  /** The stream of answers for keys in other slots of a Redis Cluster. */
  readonly outbound: string
  /** Sorted set of waiting entries by due time. */
  readonly retryDue: string
  /** Hash of their attempts. */
  readonly retryRecords: string
  /** The lease length of the group. */
  readonly lease: string
  /** Hash of parked actions: parking id → the fields of the entry to be. */
  readonly parkedEntries: string
  /** Sorted set of parking ids, and of lanes with something to do, by due time. */
  readonly parkedDue: string
  /** Sorted set of `<lane>␀<entry id>`: the places that are taken. */
  readonly lanesHeld: string
  /** Sorted set of `<lane>␀<sequence>␀<parking id>`: the queues of the lanes. */
  readonly lanesWaiting: string
  /** The next sequence number of `lanesWaiting`. */
  readonly lanesSequence: string
  /** Hash of the limits of lanes by name. */
  readonly lanesRules: string
  /** Sorted set of lanes by theoretical arrival time. */
  readonly lanesRates: string
  /** Sorted set of `<lane>␀`: the lanes that are paused or halted. */
  readonly lanesStopped: string
  /** Hash of pauses: `*`, a type or a lane → until when, and why. */
  readonly paused: string
  /** Hash of the capabilities that the workers of the service have. */
  readonly features: string
  /** Hash of the specifications of schedules by name. */
  readonly scheduleSpecs: string
  /** Sorted set of schedules by the time of their next slot. */
  readonly scheduleNext: string
  /** Hash of what happened last to each schedule. */
  readonly scheduleState: string
}

/** The key of a deduplication. `hash` is the SHA-1 of what the sender gave. */
export const uniqueKey = (naming: QueueNamingShape, service: string, hash: string): string =>
  key(naming, service, "unique", hash)

/** The key of the counts of one minute or quarter of an hour; `at` is its number since the epoch. */
export const statisticsKey = (
  naming: QueueNamingShape,
  service: string,
  period: "minute" | "quarter",
  at: string
): string => key(naming, service, "statistics", period, at)

/** The key that holds the number of the last counts of one worker. */
export const statisticsMark = (naming: QueueNamingShape, service: string, worker: string): string =>
  key(naming, service, "statistics", "worker", worker)

/** Whether a key holds the library's own state: every key except the action stream. */
const isPrivate = (what: string, kind: Kind): boolean => what !== "stream" || kind !== "stream"

/**
 * Checks the rules for every naming, custom ones included. Otherwise one key could hold two things, two workers could
 * share a consumer, or a forged message could direct an answer to a key with the worker's own state.
 */
const check = (naming: QueueNamingShape, names: Names): void => {
  const { group: _, service, stream, waitingConsumer, ...keys } = names
  const state = {
    stream,
    ...keys,
    statistics: statisticsKey(naming, service, "minute", "0"),
    "statistics of quarters": statisticsKey(naming, service, "quarter", "0"),
    "statistics of a worker": statisticsMark(naming, service, "a")
  }
  const lists = {
    "an answer": responseList(naming, service, "a.b", "a"),
    "a callback": callbackInbox(naming, service, "a.b"),
    "an inbox": inbox(naming, service, service, "a")
  }
  const seen = new Map<string, string>()
  for (const [what, found] of Object.entries({ ...state, ...lists })) {
    const other = seen.get(found)
    if (other !== undefined) {
      throw new parts.NamingFault({ part: `the key of ${what}`, found, expected: `another than that of ${other}` })
    }
    seen.set(found, what)
  }
  const accepted = accepts(naming)
  for (const [what, found] of Object.entries(state)) {
    const kind = kinds.find((kind) => isPrivate(what, kind) && accepted(found, kind))
    if (kind !== undefined) {
      const expected = `a key that its "accepts" refuses for the kind "${kind}"`
      throw new parts.NamingFault({ part: `the key of ${what}`, found, expected })
    }
  }
  const found = consumer(naming, service, "", "a")
  if (found === waitingConsumer || found === consumer(naming, service, "", "b")) {
    const expected = `another for each id, and never "${waitingConsumer}"`
    throw new parts.NamingFault({ part: "a consumer", found, expected })
  }
}

/** Throws a `QueueNameError` if the service or the naming is invalid, and any error that the naming throws. */
export const namesOf = (naming: QueueNamingShape, service: string): Names => {
  const group = need(parts.group, naming.group(need(parts.service, service)))
  const retries = (what: string): string => key(naming, service, "retries", group, what)
  const names: Names = {
    service,
    group,
    waitingConsumer: waitingConsumer(service),
    stream: actionStream(naming, service),
    deadLetters: deadLetterStream(naming, service),
    outbound: key(naming, service, "streams", "outbound"),
    retryDue: retries("due"),
    retryRecords: retries("records"),
    lease: retries("lease"),
    parkedEntries: key(naming, service, "parked", "entries"),
    parkedDue: key(naming, service, "parked", "due"),
    lanesHeld: key(naming, service, "lanes", "held"),
    lanesWaiting: key(naming, service, "lanes", "waiting"),
    lanesSequence: key(naming, service, "lanes", "sequence"),
    lanesRules: key(naming, service, "lanes", "rules"),
    lanesRates: key(naming, service, "lanes", "rates"),
    lanesStopped: key(naming, service, "lanes", "stopped"),
    paused: key(naming, service, "paused"),
    features: key(naming, service, "features"),
    scheduleSpecs: key(naming, service, "schedules", "specs"),
    scheduleNext: key(naming, service, "schedules", "next"),
    scheduleState: key(naming, service, "schedules", "state")
  }
  check(naming, names)
  return names
}
