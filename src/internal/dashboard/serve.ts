/** The API and the page on a router. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as OpenApi from "effect/http-api/OpenApi"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import { Inspector } from "../../Inspector.ts"
import { QueueNaming } from "../../QueueNaming.ts"
import { Redis } from "../../Redis.ts"
import { Api, Guard } from "./api.ts"
import * as assets from "./assets.ts"
import { notOurs, responseHeaders } from "./guard.ts"
import * as handlers from "./handlers.ts"
import * as models from "./models.ts"
import type { Policy } from "./permit.ts"
import * as routes from "./routes.ts"

/** Sets the headers on every response of the API, also on errors. */
const withHeaders = HttpEffect.appendPreResponseHandler((_request, response) =>
  Effect.succeed(HttpServerResponse.setHeaders(response, responseHeaders))
)

const guard = (policy: Policy) =>
  Layer.succeed(Guard)((effect, { group }) =>
    Effect.gen(function*() {
      const request = yield* HttpServerRequest.HttpServerRequest
      yield* withHeaders
      const reason = routes.enter(policy, request) ??
        (group.identifier === "write" ? notOurs(request, policy.origin) : undefined)
      return reason === undefined ? yield* effect : yield* new models.Forbidden({ message: reason })
    })
  )

export const layer = (path: string, policy: Policy) =>
  Layer.unwrap(Effect.gen(function*() {
    const desk = yield* handlers.make({
      policy,
      inspector: yield* Inspector,
      redis: yield* Redis,
      naming: yield* QueueNaming
    })
    const api = Api.prefix(`${path}/api` as `/${string}`)

    const read = HttpApiBuilder.group(api, "read", (build) =>
      build.handleAll({
        session: () => desk.session,
        services: () => desk.services,
        overview: ({ params }) => desk.overview(params.service),
        list: ({ params, query }) => desk.list(params.service, params.state, query),
        action: ({ params, query: { by, id, payload } }) => desk.action(params.service, { by, id, payload }),
        matching: ({ params, query }) => desk.matching(params.service, params.state, query.actionType),
        statistics: ({ params, query }) => desk.statistics(params.service, query.minutes ?? 60),
        schedules: ({ params }) => desk.schedules(params.service),
        laneNames: ({ params }) => desk.laneNames(params.service),
        lanes: ({ params, query: { cursor, keys, stopped } }) =>
          desk.lanes(params.service, { cursor, limit: 50, keys: keys === "yes", stopped: stopped === "yes" }),
        queued: ({ params, query: { lane, ...options } }) => desk.queued(params.service, lane, options),
        groups: ({ params }) => desk.groups(params.service),
        letters: ({ params, query }) => desk.letters(params.service, query),
        dryRun: ({ params, query }) => desk.dryRun(params.service, query),
        audit: ({ query }) => desk.audit(query.service)
      }))
    const write = HttpApiBuilder.group(api, "write", (build) =>
      build.handleAll({
        verb: ({ params, payload }) => desk.verb(params.service, payload)
      }))

    const page = HttpRouter.use(Effect.fnUntraced(function*(router) {
      yield* routes.add(
        router,
        path,
        policy,
        { ...yield* assets.load, openApi: JSON.stringify(OpenApi.fromApi(api)) },
        desk
      )
    }))

    return Layer.mergeAll(HttpApiBuilder.layer(api), page)
      .pipe(
        Layer.provide([read, write]),
        Layer.provide(guard(policy))
      )
  }))
