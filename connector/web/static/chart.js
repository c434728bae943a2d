/** Curves, by uPlot; each also as a table, and with a sentence for those who do not see it. */

import { settings } from "./say.js"
import { html, useEffect, useRef } from "./vendor/preact.js"
import { uPlot } from "./vendor/uplot.js"

function color(name) {
  const probe = document.createElement("i")
  probe.style.color = `var(${name})`
  document.body.append(probe)
  const found = getComputedStyle(probe).color
  probe.remove()
  return found
}

const time = (at) => new Intl.DateTimeFormat(settings.locale, { timeZone: settings.zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(at * 1000)
const short = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 })

/**
 * @param {{label: string, start: number, step: number, lines: {name: string, color: string, area?: string, values: (number|null)[]}[]}} props
 */
export function Chart({ label, start, step, lines }) {
  const place = useRef(null)
  const made = useRef(null)
  const xs = Array.from({ length: lines[0]?.values.length ?? 0 }, (_, index) => start + index * step)
  const data = [xs, ...lines.map((line) => line.values)]
  const shape = `${lines.map((it) => it.name).join()} ${document.documentElement.dataset.theme} ${settings.zone}`
  useEffect(() => {
    const soft = color("--soft")
    const grid = { stroke: color("--line"), width: 1 }
    const axis = { stroke: soft, grid, ticks: { show: false }, font: "11px system-ui" }
    const size = () => ({ width: Math.max(120, place.current.clientWidth), height: place.current.clientHeight })
    const chart = new uPlot(
      {
        ...size(),
        legend: { show: false },
        cursor: { y: false, points: { size: 6 } },
        scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] } },
        axes: [{ ...axis, grid: { show: false }, values: (_, ats) => ats.map(time), space: 70, size: 28 }, { ...axis, values: (_, values) => values.map((it) => short.format(it)), size: 46, space: 34 }],
        series: [{}, ...lines.map((line) => ({ label: line.name, stroke: color(line.color), fill: line.area ? color(line.area) : undefined, width: 1.5, points: { show: false }, spanGaps: false }))],
      },
      data,
      place.current,
    )
    made.current = chart
    const watch = new ResizeObserver(() => chart.setSize(size()))
    watch.observe(place.current)
    const dark = matchMedia("(prefers-color-scheme: dark)")
    const repaint = () => chart.redraw()
    dark.addEventListener("change", repaint)
    return () => {
      watch.disconnect()
      dark.removeEventListener("change", repaint)
      chart.destroy()
      made.current = null
    }
  }, [shape])
  useEffect(() => made.current?.setData(data), [data])
  return html`<div class="chart" role="img" aria-label=${label} ref=${place} />`
}
