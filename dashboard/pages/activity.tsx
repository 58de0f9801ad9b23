/** What became of actions over time: throughput, latency and outcomes. */
import type { Statistics } from "../api.ts"
import { Chart } from "../chart.tsx"
import { count, duration, short } from "../format.ts"
import { Card, Shown, Table, Text } from "../parts.tsx"
import { Link, useData, serviceUrl } from "../state.tsx"

const outcomes = ["succeeded", "rejected", "expired", "retried", "deadLetters", "released"] as const
type Outcome = (typeof outcomes)[number]

interface Row extends Record<Outcome, number> {
  readonly time: number
  p50: number | null
  p95: number | null
  p99: number | null
}

const worst = (before: number | null, found: number): number => Math.max(before ?? 0, found)

/** One row for each interval, also for those in which nothing happened. */
const rowsOf = ({ from, interval, types, until }: Statistics): ReadonlyArray<Row> => {
  const first = Math.floor(Date.parse(from) / interval)
  const last = Math.floor(Date.parse(until) / interval)
  const rows = Array.from({ length: Math.max(0, last - first + 1) }, (_, index): Row => ({
    time: (first + index) * interval,
    succeeded: 0,
    rejected: 0,
    expired: 0,
    retried: 0,
    deadLetters: 0,
    released: 0,
    p50: null,
    p95: null,
    p99: null
  }))
  for (const { points } of types) {
    for (const { latency, outcomes: found, time } of points) {
      const row = rows[Math.floor(Date.parse(time) / interval) - first]
      if (row === undefined) continue
      for (const name of outcomes) row[name] += found[name]
      if (latency === null) continue
      // Percentiles do not add up: the slowest type says how bad it is.
      row.p50 = worst(row.p50, latency.p50)
      row.p95 = worst(row.p95, latency.p95)
      row.p99 = worst(row.p99, latency.p99)
    }
  }
  return rows
}

const ended = (row: Row): number => row.succeeded + row.rejected + row.expired + row.deadLetters

/** The minutes of an interval that are over. The beginning of one says too little, so it is left out. */
const passed = ({ interval, until }: Statistics, time: number): number | undefined => {
  const length = Math.min(interval, Date.parse(until) - time)
  return length < interval / 4 ? undefined : length / 60_000
}

const Charts = ({ many, statistics }: { readonly statistics: Statistics; readonly many: boolean }) => {
  const rows = rowsOf(statistics)
  const times = rows.map(({ time }) => time)
  const total = (of: (row: Row) => number) => count(rows.reduce((sum, row) => sum + of(row), 0))
  const per = (of: (row: Row) => number) =>
    rows.map((row) => {
      const minutes = passed(statistics, row.time)
      return minutes === undefined ? null : of(row) / minutes
    })
  const slowest = Math.max(0, ...rows.map(({ p99 }) => p99 ?? 0))
  return (
    <div class="charts">
      <Chart
        title="Throughput, per minute"
        label={`Throughput: ${total(ended)} actions ended in this time`}
        times={times}
        format={short}
        series={[{ label: "ended", color: "accent", values: per(ended) }]}
      />
      <Chart
        title={many ? "Latency, slowest type" : "Latency"}
        label={`Latency: the highest 99th percentile was ${duration(slowest)}`}
        times={times}
        format={duration}
        series={[
          { label: "p50", color: "accent", values: rows.map(({ p50 }) => p50) },
          { label: "p95", color: "note", values: rows.map(({ p95 }) => p95) },
          { label: "p99", color: "warn", values: rows.map(({ p99 }) => p99) }
        ]}
      />
      <Chart
        stacked
        title="Outcomes, per minute"
        label={`Outcomes: ${total((row) => row.succeeded)} succeeded, ${total((row) => row.retried)} retries, ${
          total((row) => row.rejected + row.expired)
        } rejected or expired, ${total((row) => row.deadLetters)} dead`}
        times={times}
        format={short}
        series={[
          { label: "dead", color: "bad", values: per((row) => row.deadLetters) },
          { label: "retried", color: "warn", values: per((row) => row.retried) },
          { label: "rejected or expired", color: "note", values: per((row) => row.rejected + row.expired) },
          { label: "succeeded", color: "good", values: per((row) => row.succeeded) }
        ]}
      />
    </div>
  )
}

const Types = ({ chosen, statistics, to }: {
  readonly statistics: Statistics
  readonly chosen: string | undefined
  readonly to: (type: string | undefined) => string
}) => (
  <Table
    label="Types"
    columns={[
      ["Type"],
      ["Succeeded", "number"],
      ["Retried", "number"],
      ["Rejected", "number"],
      ["Expired", "number"],
      ["Dead", "number"],
      ["p50", "number"],
      ["p95", "number"],
      ["p99", "number"]
    ]}
  >
    {statistics.types.map(({ actionType, total: { latency, outcomes } }) => {
      const number = (value: number, color = "") => (
        <td class={`number ${value === 0 ? "zero" : color}`}>{count(value)}</td>
      )
      const time = (of: "p50" | "p95" | "p99") => (
        <td class="number">{latency === null ? <span class="quiet">–</span> : duration(latency[of])}</td>
      )
      return (
        <tr key={actionType}>
          <th scope="row">
            <Link
              to={to(actionType === chosen ? undefined : actionType)}
              current={actionType === chosen}
              label={actionType === chosen ? `Charts of all types instead of ${actionType}` : `Charts of ${actionType}`}
            >
              <Text>{actionType}</Text>
            </Link>
          </th>
          {number(outcomes.succeeded)}
          {number(outcomes.retried, "warn")}
          {number(outcomes.rejected, "note")}
          {number(outcomes.expired, "note")}
          {number(outcomes.deadLetters, "bad")}
          {time("p50")}
          {time("p95")}
          {time("p99")}
        </tr>
      )
    })}
  </Table>
)

const ranges = [[60, "1 h"], [180, "3 h"], [1_440, "24 h"], [2_880, "48 h"]] as const

export const Activity = ({ chosen, minutes, service, to }: {
  readonly service: string
  readonly minutes: number
  /** The type whose charts are shown; all types if it is not given. */
  readonly chosen: string | undefined
  /** The URL of this page with another range or type. */
  readonly to: (query: { readonly minutes?: number; readonly type?: string | undefined }) => string
}) => {
  const data = useData<Statistics>(serviceUrl(service, "/statistics"), { minutes })
  return (
    <Card
      title={chosen === undefined ? "Activity" : `Activity of ${chosen}`}
      actions={
        <nav class="segments" aria-label="Range">
          {ranges.map(([value, name]) => (
            <Link to={to({ minutes: value })} current={value === minutes} key={value}>{name}</Link>
          ))}
        </nav>
      }
    >
      <Shown
        data={data}
        empty={({ types }) =>
          types.length === 0
            ? "Nothing ended in this time. Workers count what they settle, and write it to Redis every few seconds."
            : undefined}
      >
        {(statistics) => {
          const types = statistics.types.filter(({ actionType }) => chosen === undefined || actionType === chosen)
          return (
            <>
              <Charts statistics={{ ...statistics, types }} many={types.length > 1} />
              <Types statistics={statistics} chosen={chosen} to={(type) => to({ type })} />
            </>
          )
        }}
      </Shown>
    </Card>
  )
}
