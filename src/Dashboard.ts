/**
 * A web page that shows what is in Redis, what failed and why, and steers it: pause, replay, discard, cancel.
 *
 * **Guarantee**: closed by default. Without `authorize`, it serves only this machine: the socket is loopback, `Host` is
 * localhost, and nothing was forwarded. Payloads are sent only if a user asks for one, and fields with `Schema.Redacted`
 * of the inspector's contracts never reach the browser. Each verb is written to an audit stream before it is done.
 *
 * @since 0.2.0
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Etag from "effect/http/Etag"
import type * as HttpPlatform from "effect/http/HttpPlatform"
import type * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import type * as Path from "effect/Path"
import type * as Redacted from "effect/Redacted"
import type { Inspector } from "./Inspector.ts"
import { InvalidOption } from "./internal/base/invalidOption.ts"
import { MissingAssets } from "./internal/dashboard/assets.ts"
import type { QueueNaming } from "./QueueNaming.ts"
import type { Redis } from "./Redis.ts"

/**
 * What a user wants to do.
 *
 * @since 0.2.0
 * @category models
 */
export interface Access {
  /** The endpoint, such as `overview`, or the verb, such as `replay`. */
  readonly name: string
  /** `payload` shows the payload of an action. `write` changes something. */
  readonly kind: "read" | "payload" | "write"
  /** `undefined` for what concerns all services. */
  readonly service: string | undefined
}

/**
 * Options of {@link layer}.
 *
 * @since 0.2.0
 * @category options
 */
export interface Options<R = never> {
  /** Where the dashboard is mounted, such as `/queues`. Default: `/`. */
  readonly path?: string | undefined
  /**
   * Returns the name of the user, for the audit, or fails with a message. It is asked for every request. Default: only
   * requests from this machine are served, to the user `local`.
   */
  readonly authorize?:
    | ((
      request: HttpServerRequest.HttpServerRequest,
      access: Access
    ) => Effect.Effect<string, { readonly message: string }, R>)
    | undefined
  /** Refuses all verbs. Default: `false`. */
  readonly readOnly?: boolean | undefined
  /** The origin in the browser's address bar, if a proxy changes the header `Host`. Default: the origin of `Host`. */
  readonly origin?: string | undefined
  /**
   * Where traces are, such as `"https://tempo.example.com/trace/{traceId}"`: the page links the trace of an action there.
   * Default: trace ids are shown without a link.
   */
  readonly traceUrl?: string | undefined
  /** Requires this token, once as `?token=` and then as a cookie. Default: none. */
  readonly token?: Redacted.Redacted | undefined
}

const pathOf = (path: string): Effect.Effect<string, InvalidOption> =>
  path === "/" ? Effect.succeed("") : /^(?:\/[\w.~-]+)+$/.test(path) ? Effect.succeed(path) : Effect.fail(
    new InvalidOption({
      option: "path",
      found: JSON.stringify(path),
      expected: "a path such as \"/queues\": it begins with a slash, does not end with one, and has no parameters"
    })
  )

const originOf = (origin: string | undefined): Effect.Effect<string | undefined, InvalidOption> =>
  origin === undefined || (URL.canParse(origin) && new URL(origin).origin === origin)
    ? Effect.succeed(origin)
    : Effect.fail(
      new InvalidOption({
        option: "origin",
        found: JSON.stringify(origin),
        expected: "an origin such as \"https://ops.example.com\", without a path"
      })
    )

const traceUrlOf = (url: string | undefined): Effect.Effect<string | undefined, InvalidOption> =>
  url === undefined || (url.includes("{traceId}") && /^https?:$/.test(URL.parse(url)?.protocol ?? ""))
    ? Effect.succeed(url)
    : Effect.fail(
      new InvalidOption({
        option: "traceUrl",
        found: JSON.stringify(url),
        expected: "an http or https URL with {traceId} in the place of the id"
      })
    )

/**
 * Adds the dashboard to a router.
 *
 * **Example** (Beside an API, for users with a header of the proxy)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Dashboard, Inspector } from "effect-redis-workers"
 *
 * const DashboardLayer = Dashboard.layer({
 *   path: "/queues",
 *   authorize: (request, { kind }) => {
 *     const user = request.headers["x-user"]
 *     if (user === undefined) return Effect.fail(new Error("Sign in first"))
 *     if (kind !== "read" && !user.endsWith("@ops.example.com")) return Effect.fail(new Error("Ask an operator"))
 *     return Effect.succeed(user)
 *   }
 * }).pipe(Layer.provide(Inspector.layer))
 * ```
 *
 * @since 0.2.0
 * @category layers
 */
export const layer = <R = never>(
  options: Options<R> = {}
): Layer.Layer<
  never,
  InvalidOption | MissingAssets,
  | HttpRouter.HttpRouter
  | Inspector
  | Redis
  | QueueNaming
  | Etag.Generator
  | FileSystem.FileSystem
  | HttpPlatform.HttpPlatform
  | Path.Path
  | R
> =>
  Layer.unwrap(Effect.gen(function*() {
    const path = yield* pathOf(options.path ?? "/")
    const origin = yield* originOf(options.origin)
    const traceUrl = yield* traceUrlOf(options.traceUrl)
    const context = yield* Effect.context<R>()
    const { authorize } = options
    // The API is loaded only where a dashboard is served: it needs much of Effect.
    const serve = yield* Effect.promise(() => import("./internal/dashboard/serve.ts"))
    return serve.layer(path, {
      authorize: authorize === undefined
        ? undefined
        : (request, wanted) => Effect.provideContext(authorize(request, wanted), context),
      readOnly: options.readOnly ?? false,
      token: options.token,
      origin,
      traceUrl
    })
  }))

export { InvalidOption, MissingAssets }
