/**
 * Access to the dashboard. All decisions are pure functions of a request, so that each has a test.
 *
 * Without `authorize` the dashboard is open to this machine alone. Three things show that a request comes from it: the
 * socket, the name in `Host` (another name is DNS rebinding), and the absence of forwarding headers (a proxy on this
 * machine would make every visitor local).
 */
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"

/** What the guard reads of a request. */
export interface Seen {
  readonly method: string
  readonly headers: { readonly [name: string]: string | undefined }
  readonly cookies: { readonly [name: string]: string | undefined }
  readonly peerAddress: Option.Option<string>
}

/** The header that a form or a link of another site cannot set. */
export const ownHeader = { name: "x-redis-workers", value: "dashboard" } as const

const isLoopback = (address: string): boolean =>
  address === "::1" || /^(?:::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(address)

const isLocalHost = (host: string): boolean => /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i.test(host)

const isForwarding = (name: string): boolean =>
  name === "forwarded" || name.startsWith("x-forwarded-") || name === "x-real-ip" || name === "via"

/** Why a request is not from this machine; `undefined` if it is. */
export const notLocal = (request: Seen): string | undefined => {
  const forwarding = Object.keys(request.headers).find(isForwarding)
  if (forwarding !== undefined) {
    return `The request has the header ${forwarding}, so it came through a proxy. Give the dashboard the option ` +
      "`authorize` to serve users through a proxy"
  }
  if (Option.isNone(request.peerAddress)) {
    return "The address of the client is unknown. Give the dashboard the option `authorize`"
  }
  if (!isLoopback(request.peerAddress.value)) {
    return "The client is not on this machine. Give the dashboard the option `authorize` to serve other machines"
  }
  if (!isLocalHost(request.headers["host"] ?? "")) {
    return "The header Host is not localhost, 127.0.0.1 or [::1]. Open the dashboard by one of these names"
  }
  return undefined
}

const sameSite = (request: Seen, origin: string | undefined): boolean => {
  const found = request.headers["origin"]
  if (found === undefined) return false
  if (origin !== undefined) return found === origin
  const host = request.headers["host"]
  return host !== undefined && host !== "" && (found === `http://${host}` || found === `https://${host}`)
}

/** Why a request may not change anything; `undefined` if its form is right. `origin` is the public origin, if it is known. */
export const notOurs = (request: Seen, origin: string | undefined): string | undefined => {
  if (!/^application\/json(?:$|\s*;)/i.test(request.headers["content-type"] ?? "")) {
    return "The body must be JSON, with the content type application/json"
  }
  if (request.headers[ownHeader.name] !== ownHeader.value) {
    return `The header ${ownHeader.name}: ${ownHeader.value} is missing`
  }
  if (!sameSite(request, origin)) {
    return "The header Origin is not the dashboard's origin. Behind a proxy that changes Host, set the option `origin`"
  }
  return undefined
}

/** Cookies are shared by all ports of a host, so the name has the port. */
export const cookieName = (host: string | undefined): string =>
  `redis_workers_${/:(\d{1,5})$/.exec(host ?? "")?.[1] ?? "0"}`

/** Compares all characters, so that the time says nothing about where texts differ. */
export const isToken = (token: Redacted.Redacted, found: string | undefined): boolean => {
  const expected = Redacted.value(token)
  if (found === undefined || found.length !== expected.length) return false
  let difference = 0
  for (let index = 0; index < expected.length; index++) {
    difference |= expected.charCodeAt(index) ^ found.charCodeAt(index)
  }
  return difference === 0
}

/** Whether the request has the token in its cookie. */
export const hasToken = (token: Redacted.Redacted | undefined, request: Seen): boolean =>
  token === undefined || isToken(token, request.cookies[cookieName(request.headers["host"])])

/** On every response. The policy has no exception: no inline script, no inline style, no other origin. */
export const responseHeaders = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; " +
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store"
} as const
