/** A chart over time. The numbers are also in the caption, for those who do not see it. */
import { useEffect, useRef } from "preact/hooks"
import uPlot from "uplot"

export interface Series {
  readonly label: string
  /** A variable of the style sheet, such as `--good`. */
  readonly color: string
  readonly values: ReadonlyArray<number | null>
}

const colorOf = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

const spanned = (times: ReadonlyArray<number>): number => (times.at(-1) ?? 0) - (times[0] ?? 0)

export const Chart = (
  { format, label, series, times, title }: {
    readonly title: string
    /** What a screen reader says. */
    readonly label: string
    readonly times: ReadonlyArray<number>
    readonly series: ReadonlyArray<Series>
    readonly format: (value: number) => string
  }
) => {
  const box = useRef<HTMLDivElement>(null)
  const key = JSON.stringify([times, series])
  useEffect(() => {
    const element = box.current
    if (element === null) return
    const draw = () => {
      const axis = { stroke: colorOf("--quiet"), grid: { stroke: colorOf("--line"), width: 1 }, ticks: { show: false } }
      return new uPlot(
        {
          width: Math.max(200, element.clientWidth),
          height: 150,
          legend: { show: false },
          cursor: { show: false },
          scales: { y: { range: (_, __, max) => [0, Math.max(1, max * 1.1)] } },
          axes: [
            { ...axis, space: 70, values: spanned(times) < 900 ? "{HH}:{mm}:{ss}" : "{HH}:{mm}" },
            { ...axis, size: 58, space: 36, values: (_, values) => values.map(format) }
          ],
          series: [
            {},
            ...series.map(({ color, label }) => ({
              label,
              stroke: colorOf(color),
              width: 2,
              fill: series.length === 1 ? `${colorOf(color)}22` : "transparent",
              points: { show: times.length < 3, fill: colorOf(color) }
            }))
          ]
        },
        [[...times], ...series.map(({ values }) => [...values])] as uPlot.AlignedData,
        element
      )
    }
    let chart = draw()
    const again = () => {
      chart.destroy()
      chart = draw()
    }
    const dark = matchMedia("(prefers-color-scheme: dark)")
    dark.addEventListener("change", again)
    const resized = new ResizeObserver(() => chart.setSize({ width: Math.max(200, element.clientWidth), height: 150 }))
    resized.observe(element)
    return () => {
      dark.removeEventListener("change", again)
      resized.disconnect()
      chart.destroy()
    }
  }, [key])
  return (
    <figure class="chart">
      <figcaption>
        <strong>{title}</strong>
        <span class="keys">
          {series.map(({ color, label }) => <span class={`key ${color.slice(2)}`} key={label}>{label}</span>)}
        </span>
      </figcaption>
      <div ref={box} role="img" aria-label={label} />
    </figure>
  )
}
