/** Access to the dashboard, as pure decisions about a request. */
import { assert, describe, it } from "@effect/vitest"
import { Option, Redacted } from "effect"
import { hasToken, isToken, notLocal, notOurs, responseHeaders, type Seen } from "../../src/internal/dashboard/guard.ts"

const request = (
  { headers = {}, peer = "127.0.0.1", cookies = {} }: {
    readonly headers?: { readonly [name: string]: string | undefined }
    readonly peer?: string | undefined
    readonly cookies?: { readonly [name: string]: string }
  } = {}
): Seen => ({
  method: "GET",
  headers: { host: "localhost:4000", ...headers },
  cookies,
  peerAddress: peer === "" ? Option.none() : Option.some(peer)
})

describe("a dashboard without authorize", () => {
  for (const peer of ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"]) {
    it(`lets ${peer} in, which is this machine`, () => assert.isUndefined(notLocal(request({ peer }))))
  }
  for (const peer of ["10.0.0.1", "192.168.1.7", "::ffff:10.0.0.1", "2001:db8::1", "127.0.0.1.example.com", ""]) {
    it(`refuses the address "${peer}", which is not known to be this machine`, () =>
      assert.isDefined(notLocal(request({ peer }))))
  }
  for (const host of ["localhost", "localhost:80", "127.0.0.1:4000", "[::1]:4000"]) {
    it(`accepts the Host ${host}`, () => assert.isUndefined(notLocal(request({ headers: { host } }))))
  }
  for (
    const host of ["evil.example.com", "localhost.evil.example.com", "127.0.0.1.nip.io:4000", "10.0.0.1", "", undefined]
  ) {
    it(`refuses the Host ${host}, which another site may point here`, () =>
      assert.isDefined(notLocal(request({ headers: { host } }))))
  }
  for (
    const name of [
      "forwarded",
      "x-forwarded-for",
      "x-forwarded-host",
      "x-forwarded-proto",
      "x-forwarded-anything",
      "x-real-ip",
      "via"
    ]
  ) {
    it(`refuses a request with ${name}, which came through a proxy`, () =>
      assert.include(notLocal(request({ headers: { [name]: "127.0.0.1" } })), name))
  }
})

describe("a request that changes something", () => {
  const good = {
    "content-type": "application/json",
    "x-redis-workers": "dashboard",
    origin: "http://localhost:4000"
  }
  it("is accepted with JSON, the own header and the page's origin", () =>
    assert.isUndefined(notOurs(request({ headers: good }), undefined)))

  for (
    const [what, wrong] of [
      ["a form", { "content-type": "application/x-www-form-urlencoded" }],
      ["text", { "content-type": "text/plain" }],
      ["no content type", { "content-type": undefined }],
      ["no header of the dashboard", { "x-redis-workers": undefined }],
      ["another value of the header", { "x-redis-workers": "yes" }],
      ["no Origin", { origin: undefined }],
      ["the Origin null", { origin: "null" }],
      ["another site's Origin", { origin: "https://evil.example.com" }],
      ["another port's Origin", { origin: "http://localhost:4001" }],
      ["an Origin that only begins like the page's", { origin: "http://localhost:4000.evil.example.com" }]
    ] as const
  ) {
    it(`is refused with ${what}`, () =>
      assert.isDefined(notOurs(request({ headers: { ...good, ...wrong } }), undefined)))
  }
  it("must come from the option origin, whatever Host says", () => {
    const origin = "https://ops.example.com"
    assert.isUndefined(notOurs(request({ headers: { ...good, origin } }), origin))
    assert.isDefined(notOurs(request({ headers: good }), origin))
  })
})

describe("the token", () => {
  const token = Redacted.make("0123456789abcdef")
  it("is compared as a whole", () => {
    assert.isTrue(isToken(token, "0123456789abcdef"))
    for (
      const found of ["0123456789abcdeX", "X123456789abcdef", "0123456789abcde", "0123456789abcdef0", "", undefined]
    ) {
      assert.isFalse(isToken(token, found), String(found))
    }
  })
  it("is read from the cookie of the port, and nothing is needed where there is none", () => {
    assert.isTrue(hasToken(token, request({ cookies: { redis_workers_4000: "0123456789abcdef" } })))
    assert.isFalse(hasToken(token, request({ cookies: { redis_workers_4001: "0123456789abcdef" } })))
    assert.isFalse(hasToken(token, request()))
    assert.isTrue(hasToken(undefined, request()))
  })
})

it("the Content-Security-Policy has no exception", () => {
  const policy = responseHeaders["content-security-policy"]
  assert.notMatch(policy, /unsafe|data:|blob:|https?:|\*|nonce|sha\d/)
  assert.match(policy, /default-src 'none'/)
  assert.match(policy, /frame-ancestors 'none'/)
})
