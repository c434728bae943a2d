/** Curves, by uPlot; each also as a table, and with a sentence for those who do not see it. */

import { settings } from "./say.js"
import { html, useEffect, useRef, useState } from "./vendor/preact.js"

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

/** Whether the machine's theme is the dark one: a canvas does not turn with the rest of the page. */
function useDark() {
  const [dark, setDark] = useState(() => matchMedia("(prefers-color-scheme: dark)").matches)
  useEffect(() => {
    const media = matchMedia("(prefers-color-scheme: dark)")
    const changed = () => setDark(media.matches)
    media.addEventListener("change", changed)
    return () => media.removeEventListener("change", changed)
  }, [])
  return dark
}

/**
 * @param {{label: string, start: number, step: number, lines: {name: string, color: string, area?: string, values: (number|null)[]}[]}} props
 */
export function Chart({ label, start, step, lines }) {
  const place = useRef(null)
  const made = useRef(null)
  const dark = useDark()
  const xs = Array.from({ length: lines[0]?.values.length ?? 0 }, (_, index) => start + index * step)
  const data = [xs, ...lines.map((line) => line.values)]
  const shape = `${lines.map((it) => it.name).join()} ${document.documentElement.dataset.theme} ${dark} ${settings.zone}`
  const latest = useRef(data)
  latest.current = data
  useEffect(() => {
    let watch
    let gone = false
    // The sentence of the page does not wait for the library of its curves.
    import("./vendor/uplot.js").then(({ uPlot }) => gone || draw(uPlot))
    function draw(uPlot) {
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
        latest.current,
        place.current,
      )
      made.current = chart
      watch = new ResizeObserver(() => chart.setSize(size()))
      watch.observe(place.current)
    }
    return () => {
      gone = true
      watch?.disconnect()
      made.current?.destroy()
      made.current = null
    }
  }, [shape])
  useEffect(() => made.current?.setData(data), [data])
  return html`<div class="chart" role="img" aria-label=${label} ref=${place} />`
}
