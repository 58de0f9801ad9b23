/** The files of examples/deploy name only what there is: metrics, their attributes, and settings. */
import { existsSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import * as yaml from "yaml"
import * as Metrics from "../../src/Metrics.ts"
import { docstrings } from "../support/markdown.ts"
import { read, root } from "../support/repository.ts"

const folder = "examples/deploy"
const alerts = `${folder}/alerts.yaml`
const dashboard = `${folder}/grafana/dashboard.json`

/** As Prometheus has them: a histogram is three series. */
const series = new Set(
  Metrics.all.flatMap(({ id, type }) => type === "Histogram" ? [`${id}_bucket`, `${id}_sum`, `${id}_count`] : [id])
)

const parse = (file: string): any => yaml.parse(read(file), { strict: true })

const named = (file: string): ReadonlyArray<string> => read(file).match(/\bredis_workers_\w+/g) ?? []

/** The values that a query asks an attribute for: `outcome=~"timeout|remote_failure"`. */
const values = (file: string, attribute: string): ReadonlyArray<string> =>
  [...read(file).matchAll(new RegExp(`\\b${attribute}=~?\\\\?"([\\w|]+)\\\\?"`, "g"))]
    .flatMap(([, found]) => found!.split("|"))

describe("examples/deploy", () => {
  for (const file of [alerts, dashboard]) {
    it(`names in ${file} only metrics that there are`, () => {
      assert.isNotEmpty(named(file))
      assert.deepStrictEqual(named(file).filter((name) => !series.has(name)), [])
    })

    it(`groups and selects in ${file} by attributes that the metrics have`, () => {
      const attributes = new Set(["service", "action_type", "lane", "outcome", "reason", "le", "job"])
      const used = [...read(file).matchAll(/\bby \(([^)]+)\)|[{,]\s*(\w+)=~?\\?"/g)]
        .flatMap(([, by, selected]) => (by ?? selected!).split(/, */))
      assert.isNotEmpty(used)
      assert.deepStrictEqual(used.filter((name) => !attributes.has(name)), [])
    })
  }

  it("selects outcomes and reasons that there are", () => {
    const outcomes = docstrings(read("src/Metrics.ts"))
    for (const outcome of values(alerts, "outcome")) assert.include(outcomes, `\`${outcome}\``)
    const reasons = read("docs/settlement.md")
    for (const reason of values(alerts, "reason")) assert.include(reasons, `\`${reason}\``)
    assert.isAbove(values(alerts, "outcome").length * values(alerts, "reason").length, 0)
  })

  it("shows every metric on the dashboard", () => {
    const shown = named(dashboard)
    const missing = Metrics.all.map(({ id }) => id).filter((id) => !shown.some((name) => name.startsWith(id)))
    assert.deepStrictEqual(missing, [])
  })

  it("has panels of the dashboard that do not cover each other", () => {
    const { panels } = JSON.parse(read(dashboard)) as {
      panels: ReadonlyArray<{ id: number; gridPos: { x: number; y: number; w: number; h: number } }>
    }
    const places = panels.map(({ gridPos: { x, y } }) => `${x} ${y}`)
    assert.lengthOf(new Set(places), panels.length)
    assert.lengthOf(new Set(panels.map(({ id }) => id)), panels.length)
    for (const { gridPos: { w, x } } of panels) assert.isAtMost(x + w, 24)
  })

  it("sets in compose.yaml only variables that the settings read", () => {
    const variables = [...read(`${folder}/compose.yaml`).matchAll(/^ {6}([A-Z_]+):/gm)].map(([, name]) => name!)
    assert.isNotEmpty(variables)
    for (const name of variables) assert.include(read("docs/configuration.md"), `| \`${name}\` |`)
  })

  it("mounts and copies files that are there", () => {
    const mounted = [...read(`${folder}/compose.yaml`).matchAll(/- \.\/([^:]+):/g)].map(([, path]) => path!)
    const copied = [...read(`${folder}/Dockerfile`).matchAll(/^COPY (.+) \S+$/gm)].flatMap(([, paths]) =>
      paths!.split(" ")
    )
      .filter((path) => !path.includes("*"))
    assert.isAbove(mounted.length * copied.length, 0)
    for (const path of [...mounted, ...copied]) assert.isTrue(existsSync(join(root, folder, path)), path)
  })

  it("installs this version of the package, and peers that it takes", () => {
    const own = JSON.parse(read("package.json")) as { version: string; peerDependencies: Record<string, string> }
    const { dependencies } = JSON.parse(read(`${folder}/package.json`)) as { dependencies: Record<string, string> }
    assert.deepStrictEqual(dependencies, {
      ...own.peerDependencies,
      "effect-redis-workers": `file:effect-redis-workers-${own.version}.tgz`
    })
  })

  it("has alert rules with a name of their own, an expression, a severity and a summary", () => {
    const rules = parse(alerts).groups.flatMap((group: { rules: ReadonlyArray<unknown> }) => group.rules)
    assert.isNotEmpty(rules)
    assert.lengthOf(new Set(rules.map(({ alert }: { alert: string }) => alert)), rules.length)
    for (const { alert, annotations, expr, labels } of rules) {
      assert.match(alert, /^[A-Z]\w+$/)
      assert.include(["warning", "critical"], labels.severity, alert)
      assert.isString(annotations.summary, alert)
      const count = (pattern: RegExp) => (expr as string).match(pattern)?.length ?? 0
      for (const [open, close] of [[/\(/g, /\)/g], [/\{/g, /\}/g], [/\[/g, /\]/g]] as const) {
        assert.strictEqual(count(open), count(close), `${alert}: ${expr}`)
      }
    }
  })

  it("watches the workers at the port at which they answer, under the job that the rules name", () => {
    const port = /\["PORT"\] \?\? (\d+)/.exec(read(`${folder}/worker.ts`))![1]!
    assert.include(read(`${folder}/Dockerfile`), `EXPOSE ${port}\n`)
    const { rule_files: rules, scrape_configs: scrapes } = parse(`${folder}/prometheus.yaml`)
    assert.deepStrictEqual(rules, ["alerts.yaml"])
    const [{ dns_sd_configs: [{ names, port: scraped }], job_name: job }] = scrapes
    const { services } = parse(`${folder}/compose.yaml`)
    assert.strictEqual(String(scraped), port)
    for (const name of names) assert.property(services, name)
    for (const named of values(alerts, "job")) assert.strictEqual(named, job)
    assert.include(services.worker.healthcheck.test.at(-1), `http://localhost:${port}/health/live`)
  })

  it("gives a container more time to stop than its worker takes", () => {
    const settings = read("docs/configuration.md")
    const [, grace] = /\| `WORKER_SHUTDOWN_GRACE` \| `shutdownGrace` \| (\d+) seconds/.exec(settings)!
    const { services } = parse(`${folder}/compose.yaml`)
    assert.isAtLeast(Number.parseInt(services.worker.stop_grace_period, 10), Number(grace) + 10)
  })

  it("provisions Grafana with the data source that the dashboard names", () => {
    const { datasources: [{ uid }] } = parse(`${folder}/grafana/datasource.yaml`)
    const named = [...read(dashboard).matchAll(/"datasource": \{[^}]*"uid": "([^"]+)"/g)].map(([, name]) => name)
    assert.isNotEmpty(named)
    for (const name of named) assert.strictEqual(name, uid)
    const { providers: [{ options: { path } }] } = parse(`${folder}/grafana/dashboards.yaml`)
    const { services } = parse(`${folder}/compose.yaml`)
    assert.include(services.grafana.volumes.join("\n"), `:${path}/`)
  })
})
