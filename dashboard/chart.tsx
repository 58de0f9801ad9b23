/**
 * Charts as plain SVG, which the style sheet colours: nothing is drawn again when the colours or the width change. The
 * numbers are also in the label, for those who do not see them.
 */
import { useState } from "preact/hooks"
import { minute } from "./format.ts"

export type Color = "accent" | "good" | "warn" | "bad" | "note"

export interface Series {
  readonly label: string
  readonly color: Color
  /** `null` where nothing was measured: the line has a gap. */
  readonly values: ReadonlyArray<number | null>
}

interface Shape {
  readonly title: string
  /** What a screen reader says. */
  readonly label: string
  /** When each interval began, in milliseconds. */
  readonly times: ReadonlyArray<number>
  readonly series: ReadonlyArray<Series>
  readonly format: (value: number) => string
}

/** The plot has a height of 100; its width is the number of intervals. */
const height = 100

/** The next number that reads well: 1, 2 or 5 times a power of ten. */
export const ceiling = (value: number): number => {
  if (value <= 0) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  return (([1, 2, 5].find((step) => step * power >= value * 0.999)) ?? 10) * power
}

const short = (value: number): string => String(Math.round(value * 100) / 100)

/** A line through the middle of each interval, with gaps. An interval alone is a short stroke. */
const line = (values: ReadonlyArray<number | null>, most: number): string => {
  let path = ""
  let drawing = false
  values.forEach((value, index) => {
    if (value === null) {
      drawing = false
      return
    }
    const y = short(height - height * value / most)
    const alone = !drawing && (values[index + 1] ?? null) === null
    path += alone ? `M${index + 0.1} ${y}H${index + 0.9}` : `${drawing ? "L" : "M"}${index + 0.5} ${y}`
    drawing = true
  })
  return path
}

/** Bars on top of those of the series before. */
const bars = (series: ReadonlyArray<Series>, at: number, most: number): string => {
  let path = ""
  series[at]!.values.forEach((value, index) => {
    if (value === null || value === 0) return
    let below = 0
    for (let other = 0; other < at; other++) below += series[other]!.values[index] ?? 0
    const top = short(height - height * (below + value) / most)
    path += `M${index + 0.1} ${short(height - height * below / most)}V${top}h0.8V${short(height - height * below / most)}z`
  })
  return path
}

export const Chart = ({ format, label, series, stacked, times, title }: Shape & { readonly stacked?: boolean }) => {
  const [at, setAt] = useState<number>()
  const sums = stacked === true
    ? times.map((_, index) => series.reduce((sum, { values }) => sum + (values[index] ?? 0), 0))
    : series.flatMap(({ values }) => values.map((value) => value ?? 0))
  const highest = Math.max(0, ...sums)
  const most = ceiling(highest)
  const time = at === undefined ? undefined : times[at]
  const width = Math.max(1, times.length)
  return (
    <figure class="chart">
      <figcaption>
        <strong>{title}</strong>
        <span class="keys">
          {time !== undefined && <span class="key none">{minute(time)}</span>}
          {series.map(({ color, label, values }) => {
            const value = at === undefined ? undefined : values[at]
            return (
              <span class={`key ${color}`} key={label}>
                {label}
                {at === undefined ? "" : ` ${value === null || value === undefined ? "–" : format(value)}`}
              </span>
            )
          })}
        </span>
      </figcaption>
      <div class="plot">
        <div class="scale" aria-hidden="true">
          <span>{format(most)}</span>
          <span>{format(most / 2)}</span>
          <span>{format(0)}</span>
        </div>
        <svg
          role="img"
          aria-label={label}
          viewBox={`0 0 ${width} ${height}`}
          preserveAspectRatio="none"
          onPointerMove={(event) => {
            const { left, width: shown } = event.currentTarget.getBoundingClientRect()
            const index = Math.floor((event.clientX - left) / shown * times.length)
            setAt(index >= 0 && index < times.length ? index : undefined)
          }}
          onPointerLeave={() => setAt(undefined)}
        >
          <path class="grid" d={`M0 0H${width}M0 ${height / 2}H${width}M0 ${height}H${width}`} />
          {time !== undefined && <path class="mark" d={`M${at! + 0.5} 0V${height}`} />}
          {series.map(({ color, label, values }, index) =>
            stacked === true
              ? <path class={`fill ${color}`} d={bars(series, index, most)} key={label} />
              : <path class={`line ${color}`} d={line(values, most)} key={label} />
          )}
        </svg>
        <div class="axis" aria-hidden="true">
          {times.length > 0 && (
            <>
              <span>{minute(times[0]!)}</span>
              <span>{minute(times[Math.floor((times.length - 1) / 2)]!)}</span>
              <span>{`${minute(times.at(-1)!)} UTC`}</span>
            </>
          )}
        </div>
        {highest === 0 && <span class="nothing quiet">nothing in this time</span>}
      </div>
    </figure>
  )
}

/** A chart of the size of a word: what ended in each minute, and what of it failed. */
export const Spark = ({ ended, failed, label }: {
  readonly label: string
  readonly ended: ReadonlyArray<number>
  readonly failed: ReadonlyArray<number>
}) => {
  const most = Math.max(1, ...ended)
  const good: Series = { label: "", color: "accent", values: ended.map((count, at) => count - (failed[at] ?? 0)) }
  const bad: Series = { label: "", color: "bad", values: failed }
  return (
    <svg class="spark" role="img" aria-label={label} viewBox={`0 0 ${Math.max(1, ended.length)} ${height}`} preserveAspectRatio="none">
      <path class="fill bad" d={bars([bad, good], 0, most)} />
      <path class="fill accent" d={bars([bad, good], 1, most)} />
    </svg>
  )
}
