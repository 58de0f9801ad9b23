/** The HTTP API of the dashboard. Its OpenAPI document is served as `api/openapi.json`. */
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"
import * as models from "./models.ts"

/** Runs before an endpoint decodes anything. See `guard.ts`. */
export class Guard extends HttpApiMiddleware.Service<Guard>()("effect-redis-workers/dashboard/Guard", {
  error: models.Forbidden
}) {}

const { errors } = models
const optional = Schema.optionalKey
const params = { service: Schema.String }
const State = Schema.Literals(["waiting", "running", "retrying", "scheduled", "queued", "dead"])
const filter = {
  reason: optional(models.Reason),
  actionType: optional(Schema.String),
  errorType: optional(Schema.String)
}
const page = {
  cursor: optional(Schema.String),
  limit: optional(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 200 })))
}

/** Reading changes nothing, so a GET is enough. Only `action` returns a payload, and only if it is asked to. */
const Read = HttpApiGroup.make("read").add(
  HttpApiEndpoint.get("session", "/session", { success: models.Session, error: errors }),
  HttpApiEndpoint.get("services", "/services", { success: models.Services, error: errors }),
  HttpApiEndpoint.get("overview", "/services/:service", { params, success: models.Overview, error: errors }),
  HttpApiEndpoint.get("list", "/services/:service/actions/:state", {
    params: { ...params, state: State },
    query: { ...page, actionType: optional(Schema.String) },
    success: models.Entries,
    error: errors
  }),
  HttpApiEndpoint.get("action", "/services/:service/action", {
    params,
    query: {
      id: Schema.String,
      by: Schema.Literals(["entry", "action"]),
      /** `check` returns the verdict of the contract without the payload. */
      payload: optional(Schema.Literals(["yes", "no", "check"]))
    },
    success: models.Found,
    error: errors
  }),
  HttpApiEndpoint.get("matching", "/services/:service/actions/:state/count", {
    params: { ...params, state: Schema.Literals(["waiting", "retrying", "scheduled", "queued"]) },
    query: { actionType: optional(Schema.String) },
    success: models.Matching,
    error: errors
  }),
  HttpApiEndpoint.get("statistics", "/services/:service/statistics", {
    params,
    query: { minutes: optional(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 2_880 }))) },
    success: models.Statistics,
    error: errors
  }),
  HttpApiEndpoint.get("schedules", "/services/:service/schedules", {
    params,
    success: models.Schedules,
    error: errors
  }),
  HttpApiEndpoint.get("laneNames", "/services/:service/lanes/names", {
    params,
    success: models.LaneNames,
    error: errors
  }),
  HttpApiEndpoint.get("lanes", "/services/:service/lanes", {
    params,
    query: {
      cursor: page.cursor,
      stopped: optional(Schema.Literals(["yes", "no"])),
      keys: optional(Schema.Literals(["yes", "no"]))
    },
    success: models.Lanes,
    error: errors
  }),
  HttpApiEndpoint.get("queued", "/services/:service/lanes/queued", {
    params,
    query: { ...page, lane: Schema.String },
    success: models.Entries,
    error: errors
  }),
  HttpApiEndpoint.get("groups", "/services/:service/dead/groups", {
    params,
    success: models.LetterGroups,
    error: errors
  }),
  HttpApiEndpoint.get("letters", "/services/:service/dead/letters", {
    params,
    query: { ...filter, ...page },
    success: models.Letters,
    error: errors
  }),
  HttpApiEndpoint.get("dryRun", "/services/:service/dead/dry-run", {
    params,
    query: filter,
    success: models.DryRun,
    error: errors
  }),
  HttpApiEndpoint.get("audit", "/audit", {
    query: { service: optional(Schema.String) },
    success: models.Audit,
    error: errors
  })
).middleware(Guard)

/** Everything that changes something. */
const Write = HttpApiGroup.make("write").add(
  HttpApiEndpoint.post("verb", "/services/:service/verbs", {
    params,
    payload: models.Verb,
    success: models.Done,
    error: errors
  })
).middleware(Guard)

export const Api = HttpApi.make("redis-workers").add(Read, Write).annotateMerge(OpenApi.annotations({
  title: "effect-redis-workers dashboard",
  description: "Reads and steers the services of an environment. Times are ISO 8601, durations are milliseconds. " +
    "Requests that change something need the header `x-redis-workers: dashboard`, a JSON body, and the dashboard's origin."
}))
