/** The support of the browser tests: that a page with a fault does not pass for a sound one. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { createServer } from "node:http"
import * as Browser from "../support/browser.ts"
import { until } from "../support/until.ts"

/** Serves pages with these bodies, for as long as the scope. */
const serve = (bodies: { readonly [path: string]: string }) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly url: string; readonly close: () => void }>((resume) => {
      const server = createServer((request, response) => {
        const body = bodies[request.url ?? ""]
        if (body === undefined) {
          request.socket.destroy()
          return
        }
        response.setHeader("content-type", "text/html; charset=utf-8")
        response.end(
          `<!doctype html><html lang="en"><head><title>A page</title><link rel="icon" href="data:,"></head>` +
            `<body><main><h1>A page</h1>${body}</main></body></html>`
        )
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        const close = () => {
          server.close()
          server.closeAllConnections()
        }
        resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, close }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )

const faulty = (body: string) => Effect.flatMap(serve({ "/": body }), ({ url }) => Browser.open(url))

layer(Browser.layer, { excludeTestServices: true, timeout: 60_000 })("a page in the browser", (it) => {
  for (const name of ["light", "dark", "phone"] as const) {
    it.effect(`passes without a fault, and is shown as asked (${name})`, () =>
      Effect.gen(function*() {
        const look = Browser.looks[name]
        const { url } = yield* serve({ "/": "<p>Hello</p>" })
        const opened = yield* Browser.open(url, look)
        yield* Browser.assertSound(opened)
        const shown = yield* Effect.promise(() =>
          opened.page.evaluate<unknown>("[screen.width, matchMedia('(prefers-color-scheme: dark)').matches]")
        )
        assert.deepStrictEqual(shown, [look.viewport.width, look.colorScheme === "dark"])
      }))
  }

  it.effect("fails with a fault of accessibility, which names its place", () =>
    Effect.gen(function*() {
      const opened = yield* faulty("<button id=\"nameless\"></button>")
      const findings = yield* Browser.seriousFindings(opened.page)
      assert.strictEqual(findings.length, 1)
      assert.match(findings[0]!, /^button-name: .*nameless/)
      assert.strictEqual((yield* Effect.exit(Browser.assertSound(opened)))._tag, "Failure")
    }))

  for (
    const [what, body, problem] of [
      ["an error in the console", "<script>console.error('broken')</script>", /^console: broken$/],
      ["an exception", "<script>throw new Error('thrown')</script>", /^exception: thrown$/],
      ["a request that fails", "<img alt=\"Nothing\" src=\"/nothing\">", /^request: .*\/nothing net::ERR_/]
    ] as const
  ) {
    it.effect(`fails with ${what}`, () =>
      Effect.gen(function*() {
        const opened = yield* faulty(body)
        yield* until("the problem is known", Effect.sync(() => opened.problems.some((text) => problem.test(text))))
        assert.strictEqual((yield* Effect.exit(Browser.assertSound(opened)))._tag, "Failure")
      }))
  }
})
