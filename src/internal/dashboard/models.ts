/** What the HTTP API of the dashboard returns and accepts: times as ISO 8601, durations in milliseconds. */
import * as Schema from "effect/Schema"

const Time = Schema.DateTimeUtcFromString
const Millis = Schema.DurationFromMillis
const Text = Schema.UndefinedOr(Schema.String)
const MaybeTime = Schema.UndefinedOr(Time)
const Count = Schema.Number

export const Consumer = Schema.Struct({ name: Schema.String, pending: Count, idle: Millis, stale: Schema.Boolean })

export const Group = Schema.Struct({
  name: Schema.String,
  own: Schema.Boolean,
  consumers: Count,
  pending: Count,
  lag: Schema.UndefinedOr(Count)
})

export const Pause = Schema.Struct({ actionType: Text, until: MaybeTime, reason: Schema.String })

export const Rates = Schema.Struct({ ended: Count, retried: Count, deadLetters: Count })

export const Overview = Schema.Struct({
  service: Schema.String,
  stream: Schema.String,
  group: Schema.String,
  asOf: Time,
  length: Count,
  lag: Schema.UndefinedOr(Count),
  oldestWaiting: MaybeTime,
  pending: Count,
  running: Count,
  retrying: Count,
  nextRetry: MaybeTime,
  scheduled: Count,
  nextScheduled: MaybeTime,
  schedules: Count,
  deadLetters: Count,
  newestDeadLetter: MaybeTime,
  consumers: Schema.Array(Consumer),
  groups: Schema.Array(Group),
  pauses: Schema.Array(Pause),
  features: Schema.Array(Schema.String),
  lease: Schema.UndefinedOr(Millis),
  rates: Schema.UndefinedOr(Rates)
})

/** The last hour of a service, one number for each minute. Empty where Redis has no statistics. */
export const Trend = Schema.Struct({
  from: Time,
  interval: Millis,
  ended: Schema.Array(Count),
  failed: Schema.Array(Count)
})

/** A service in the overview: its numbers, its last hour, and the types that fail most in it. */
export const Glance = Schema.Struct({
  ...Overview.fields,
  trend: Schema.UndefinedOr(Trend),
  failing: Schema.Array(Schema.Struct({ actionType: Schema.String, deadLetters: Count, retried: Count })),
  /** Lanes that a dead letter halted, of the first 100 that are stopped. */
  halted: Count
})

export const Services = Schema.Struct({
  services: Schema.Array(Glance),
  /** Services that could not be read, and why. */
  failures: Schema.Array(Schema.Struct({ service: Schema.String, message: Schema.String }))
})

/** The name of the user, whether verbs are possible at all, and where traces are: `{traceId}` stands for the id. */
export const Session = Schema.Struct({ user: Schema.String, readOnly: Schema.Boolean, traceUrl: Text })

export const Reason = Schema.Literals([
  "malformed",
  "poison",
  "unknown",
  "invalid",
  "unencodable",
  "rejected",
  "exhausted",
  "undeliverable",
  "other"
])

export const Letter = Schema.Struct({
  id: Schema.String,
  time: Time,
  reason: Schema.String,
  actionId: Text,
  actionType: Text,
  errorType: Text,
  errorCode: Text,
  message: Schema.String,
  attempts: Count,
  deliveries: Count,
  hops: Count,
  entryId: Text,
  consumer: Text,
  hasAnswer: Schema.Boolean,
  size: Count
})

export const Letters = Schema.Struct({ letters: Schema.Array(Letter), cursor: Text })

export const LetterGroups = Schema.Struct({
  asOf: Time,
  total: Count,
  groups: Schema.Array(Schema.Struct({
    reason: Schema.String,
    actionType: Text,
    errorType: Text,
    count: Count,
    oldest: Time,
    newest: Time
  }))
})

export const DryRun = Schema.Struct({
  checked: Count,
  passing: Count,
  failing: Schema.Array(Schema.Struct({
    reason: Schema.String,
    actionType: Text,
    issue: Schema.String,
    count: Count,
    letters: Schema.Array(Schema.String)
  }))
})

export const Payload = Schema.Struct({
  text: Schema.String,
  truncated: Schema.Boolean,
  redacted: Schema.Boolean,
  withheld: Text
})

export const Verdict = Schema.Struct({ fits: Schema.Boolean, issue: Text })

/** An action in any state. Fields that the state does not have are `null`. */
export const Entry = Schema.Struct({
  state: Schema.Literals(["waiting", "running", "retrying", "scheduled", "queued", "dead"]),
  /** The id of the entry, of the parked action, or of the letter. */
  id: Schema.String,
  actionId: Text,
  actionType: Text,
  correlationId: Text,
  traceId: Text,
  size: Count,
  payload: Schema.UndefinedOr(Payload),
  verdict: Schema.UndefinedOr(Verdict),
  addedAt: MaybeTime,
  dueAt: MaybeTime,
  expiresAt: MaybeTime,
  consumer: Text,
  idle: Schema.UndefinedOr(Millis),
  deliveries: Schema.UndefinedOr(Count),
  attempts: Schema.UndefinedOr(Count),
  lastError: Schema.UndefinedOr(Schema.Struct({ type: Schema.String, message: Schema.String })),
  unknownSince: MaybeTime,
  letter: Schema.UndefinedOr(Letter)
})

export const Entries = Schema.Struct({ entries: Schema.Array(Entry), cursor: Text })

/** How many actions a purge would remove. */
export const Matching = Schema.Struct({ matched: Count, complete: Schema.Boolean })

export const Found = Schema.Struct({
  entry: Schema.UndefinedOr(Entry),
  looked: Count,
  complete: Schema.Boolean
})

const Outcomes = Schema.Struct({
  succeeded: Count,
  expired: Count,
  rejected: Count,
  retried: Count,
  deadLetters: Count,
  released: Count
})

const Latency = Schema.UndefinedOr(Schema.Struct({ count: Count, p50: Millis, p95: Millis, p99: Millis }))

export const Statistics = Schema.Struct({
  asOf: Time,
  from: Time,
  until: Time,
  interval: Millis,
  types: Schema.Array(Schema.Struct({
    actionType: Schema.String,
    total: Schema.Struct({ outcomes: Outcomes, latency: Latency }),
    points: Schema.Array(Schema.Struct({ time: Time, outcomes: Outcomes, latency: Latency }))
  }))
})

export const Schedules = Schema.Array(Schema.Struct({
  name: Schema.String,
  actionType: Schema.String,
  origin: Schema.String,
  recurrence: Schema.String,
  next: MaybeTime,
  last: MaybeTime,
  paused: Text,
  fired: Count,
  skipped: Count
}))

export const Audit = Schema.Array(Schema.Struct({
  id: Schema.String,
  time: Time,
  service: Schema.String,
  user: Schema.String,
  verb: Schema.String,
  /** What it was done to: ids or a filter, as JSON. Never a payload. */
  subject: Schema.String,
  outcome: Schema.String
}))

// -----------------------------------------------------------------------------
// lanes
// -----------------------------------------------------------------------------

const Rate = Schema.UndefinedOr(Schema.Struct({ limit: Count, per: Millis }))

const LaneRules = Schema.Struct({
  concurrency: Count,
  rate: Rate,
  backlog: Schema.Union([Schema.Literals(["wait", "latest", "drop"]), Schema.Struct({ max: Count })]),
  onGiveUp: Schema.Literals(["continue", "halt"]),
  total: Schema.UndefinedOr(Schema.Struct({ concurrency: Schema.UndefinedOr(Count), rate: Rate }))
})

/** Lanes by type and name, with their limits. */
export const LaneNames = Schema.Array(Schema.Struct({
  type: Text,
  name: Text,
  held: Count,
  waiting: Count,
  rules: LaneRules,
  declared: Schema.UndefinedOr(LaneRules),
  overridden: Schema.Boolean
}))

/** Keys are part of payloads: they are here only if they were asked for. */
export const Lanes = Schema.Struct({
  lanes: Schema.Array(Schema.Struct({
    id: Schema.String,
    type: Text,
    name: Text,
    key: Text,
    total: Schema.Boolean,
    held: Count,
    waiting: Count,
    holders: Schema.Array(Schema.Struct({ entryId: Schema.String, since: Time })),
    waitingSince: MaybeTime,
    state: Schema.Literals(["open", "paused", "halted"]),
    until: MaybeTime,
    haltedAt: MaybeTime,
    haltedBy: Text
  })),
  cursor: Text
})

// -----------------------------------------------------------------------------
// verbs
// -----------------------------------------------------------------------------

const optional = Schema.optionalKey
const Name = Schema.String.check(Schema.isMaxLength(200))
const Ids = Schema.Array(Name).check(Schema.isMinLength(1), Schema.isMaxLength(200))

/** Letters of a group. `before` leaves out those that came later, so that a replay never meets its own failures. */
const matching = {
  reason: optional(Reason),
  actionType: optional(Name),
  errorType: optional(Name),
  before: Time,
  limit: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000 }))
}

/** What a user can ask for. */
export const Verb = Schema.Union([
  Schema.Struct({
    verb: Schema.Literal("pause"),
    actionType: optional(Name),
    for: optional(Millis),
    reason: optional(Name)
  }),
  Schema.Struct({ verb: Schema.Literal("resume"), actionType: optional(Name) }),
  Schema.Struct({
    verb: Schema.Literal("cancel"),
    id: Name,
    state: Schema.Literals(["waiting", "retrying", "scheduled", "queued"])
  }),
  Schema.Struct({ verb: Schema.Literal("retryNow"), id: Name, state: Schema.Literals(["retrying", "scheduled"]) }),
  Schema.Struct({
    verb: Schema.Literal("bury"),
    id: Name,
    state: Schema.Literals(["waiting", "retrying", "scheduled", "queued"])
  }),
  Schema.Struct({ verb: Schema.Literal("replay"), ids: Ids }),
  Schema.Struct({ verb: Schema.Literal("discard"), ids: Ids }),
  Schema.Struct({
    verb: Schema.Literal("replayMatching"),
    ...matching,
    ratePerSecond: optional(Schema.Number.check(Schema.isBetween({ minimum: 0.1, maximum: 10_000 })))
  }),
  Schema.Struct({ verb: Schema.Literal("discardMatching"), ...matching }),
  Schema.Struct({
    verb: Schema.Literal("purge"),
    state: Schema.Literals(["waiting", "retrying", "scheduled", "queued"]),
    actionType: optional(Name),
    limit: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000 }))
  }),
  Schema.Struct({ verb: Schema.Literal("trigger"), schedule: Name }),
  Schema.Struct({ verb: Schema.Literal("pauseSchedule"), schedule: Name, reason: optional(Name) }),
  Schema.Struct({ verb: Schema.Literal("resumeSchedule"), schedule: Name }),
  Schema.Struct({ verb: Schema.Literal("pauseLane"), lane: Name, for: Millis }),
  Schema.Struct({ verb: Schema.Literal("resumeLane"), lane: Name }),
  Schema.Struct({
    verb: Schema.Literal("limitLane"),
    lane: Schema.Union([Schema.Struct({ type: Name }), Schema.Struct({ name: Name })]),
    /** What is not given stays as the contract says; without any of them, all do. */
    concurrency: optional(Schema.Int),
    rate: optional(Schema.Struct({ limit: Schema.Int, per: Millis })),
    totalConcurrency: optional(Schema.Int)
  })
])

export type Verb = typeof Verb.Type

/** What a verb did. */
export const Done = Schema.Struct({
  done: Count,
  /** Letters that were gone already, or refused. */
  left: Count,
  /** Why the first of them were refused, or what else the user should know. */
  notes: Schema.Array(Schema.String)
})

// -----------------------------------------------------------------------------
// errors
// -----------------------------------------------------------------------------

/** The request is not allowed. */
export class Forbidden extends Schema.TaggedError<Forbidden>()("Forbidden", { message: Schema.String }, {
  httpApiStatus: 403
}) {}

/** There is no such service, action or letter. */
export class Missing extends Schema.TaggedError<Missing>()(
  "Missing",
  { error: Schema.String, message: Schema.String },
  { httpApiStatus: 404 }
) {}

/** The request cannot be done in the present state, or has an invalid option. */
export class Conflict extends Schema.TaggedError<Conflict>()(
  "Conflict",
  { error: Schema.String, message: Schema.String },
  { httpApiStatus: 409 }
) {}

/** Redis did not do it. */
export class Unavailable extends Schema.TaggedError<Unavailable>()(
  "Unavailable",
  { error: Schema.String, message: Schema.String },
  { httpApiStatus: 503 }
) {}

export const errors = [Forbidden, Missing, Conflict, Unavailable] as const
