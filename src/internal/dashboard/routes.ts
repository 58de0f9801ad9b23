/** The routes that are not part of the API: the page, its files, and the live stream. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { Assets } from "./assets.ts"
import { cookieName, hasToken, isToken, responseHeaders } from "./guard.ts"
import type { Handlers } from "./handlers.ts"
import * as models from "./models.ts"
import { mayEnter, permit, type Policy } from "./permit.ts"

const encodeServices = Schema.encodeUnknownEffect(Schema.fromJsonString(Schema.toCodecJson(models.Services)))

const refused = (message: string) => HttpServerResponse.text(`${message}\n`, { status: 403, headers: responseHeaders })

const noToken = "The token is missing. Open the URL that the command printed when it started"

/** Lets a request in by its address and its token, without asking what it wants. */
export const enter = (policy: Policy, request: HttpServerRequest.HttpServerRequest): string | undefined =>
  mayEnter(policy, request) ?? (hasToken(policy.token, request) ? undefined : noToken)

const icon =
  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 16 16\"><path fill=\"#1f5fbf\" d=\"M1 2h14v3H1zm0 4.5h10v3H1zm0 4.5h6v3H1z\"/></svg>"

/** How often the live stream sends. */
const interval = Duration.seconds(2)

const live = (policy: Policy, handlers: Handlers, request: HttpServerRequest.HttpServerRequest) =>
  Effect.map(permit(policy, request, { name: "services", kind: "read", service: undefined }), () => {
    const encoder = new TextEncoder()
    const events = Stream.fromEffectRepeat(
      handlers.snapshot.pipe(
        Effect.flatMap(encodeServices),
        Effect.map((text) => `event: services\ndata: ${text}\n\n`),
        Effect.catch(({ message }) => Effect.succeed(`event: trouble\ndata: ${JSON.stringify({ message })}\n\n`))
      )
    ).pipe(Stream.schedule(Schedule.spaced(interval)), Stream.map((text) => encoder.encode(text)))
    return HttpServerResponse.stream(Stream.concat(Stream.succeed(encoder.encode(": open\n\n")), events), {
      contentType: "text/event-stream",
      headers: { ...responseHeaders, "x-accel-buffering": "no" }
    })
  })

/** The token comes once, in the URL; from then on it is in a cookie that no script can read. */
const admit = (policy: Policy, path: string, request: HttpServerRequest.HttpServerRequest) => {
  const reason = mayEnter(policy, request)
  const found = new URL(request.url, "http://localhost").searchParams.get("token")
  if (reason !== undefined || policy.token === undefined || found === null) return undefined
  if (!isToken(policy.token, found)) return refused(noToken)
  const location = path === "" ? "/" : path
  return HttpServerResponse.empty({ status: 303, headers: { ...responseHeaders, location } }).pipe(
    HttpServerResponse.setCookieUnsafe(cookieName(request.headers["host"]), found, {
      httpOnly: true,
      sameSite: "strict",
      path: location
    })
  )
}

export const add = Effect.fnUntraced(function*(
  router: HttpRouter.HttpRouter,
  path: string,
  policy: Policy,
  assets: Assets & { readonly openApi: string },
  handlers: Handlers
) {
  const guarded = (
    respond: (
      request: HttpServerRequest.HttpServerRequest
    ) => Effect.Effect<HttpServerResponse.HttpServerResponse, models.Forbidden>
  ) =>
    Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
      const admitted = admit(policy, path, request)
      if (admitted !== undefined) return Effect.succeed(admitted)
      const reason = enter(policy, request)
      return reason === undefined
        ? Effect.catch(respond(request), ({ message }) => Effect.succeed(refused(message)))
        : Effect.succeed(refused(reason))
    })

  const file = (text: string, contentType: string) =>
    guarded((request) =>
      Effect.map(
        permit(policy, request, { name: "page", kind: "read", service: undefined }),
        () => HttpServerResponse.text(text, { contentType, headers: responseHeaders })
      )
    )

  // Links and files in the page are relative to this.
  const html = file(assets.html.replaceAll("__BASE__", path), "text/html; charset=utf-8")
  const under = (rest: string) => `${path}${rest}` as `/${string}`

  yield* router.add("GET", under("/app.js"), file(assets.script, "text/javascript; charset=utf-8"))
  yield* router.add("GET", under("/app.css"), file(assets.style, "text/css; charset=utf-8"))
  yield* router.add("GET", under("/icon.svg"), file(icon, "image/svg+xml"))
  yield* router.add("GET", under("/api/openapi.json"), file(assets.openApi, "application/json"))
  yield* router.add("GET", under("/api/live"), guarded((request) => live(policy, handlers, request)))
  // The router takes a path with and without a slash at its end for the same.
  yield* router.add("GET", path === "" ? "/" : under(""), html)
  // Each view has a URL of its own, which the page reads.
  for (const view of ["/services/*", "/audit"] as const) yield* router.add("GET", under(view), html)
})
