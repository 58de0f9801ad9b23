/** The permission that a handler needs. */
import * as Effect from "effect/Effect"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as Redacted from "effect/Redacted"
import { notLocal, type Seen } from "./guard.ts"
import * as models from "./models.ts"

/** What a user wants to do. The public type is `Dashboard.Access`. */
export interface Wanted {
  readonly name: string
  readonly kind: "read" | "payload" | "write"
  readonly service: string | undefined
}

/** The options of a dashboard, with the environment of `authorize` provided. */
export interface Policy {
  readonly authorize:
    | ((
      request: HttpServerRequest.HttpServerRequest,
      wanted: Wanted
    ) => Effect.Effect<string, { readonly message: string }>)
    | undefined
  readonly readOnly: boolean
  readonly token: Redacted.Redacted | undefined
  readonly origin: string | undefined
  /** Where traces are, with `{traceId}` in the place of the id. */
  readonly traceUrl: string | undefined
}

/** The name of a user who is on this machine. */
const local = "local"

const refuse = (message: string) => Effect.fail(new models.Forbidden({ message }))

/** Whether the request may come in at all, whatever it wants. */
export const mayEnter = (policy: Policy, request: Seen): string | undefined =>
  policy.authorize === undefined ? notLocal(request) : undefined

/** Returns the name of the user, or fails. */
export const permit = (
  policy: Policy,
  request: HttpServerRequest.HttpServerRequest,
  wanted: Wanted
): Effect.Effect<string, models.Forbidden> => {
  if (wanted.kind === "write" && policy.readOnly) return refuse("This dashboard is read-only")
  if (policy.authorize === undefined) {
    const reason = notLocal(request)
    return reason === undefined ? Effect.succeed(local) : refuse(reason)
  }
  return policy.authorize(request, wanted).pipe(
    Effect.mapError(({ message }) => new models.Forbidden({ message })),
    Effect.flatMap((user) => user === "" ? refuse("authorize returned no name") : Effect.succeed(user.slice(0, 200)))
  )
}
