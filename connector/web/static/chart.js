/** Curves, by uPlot; each also as a table, and with a sentence for those who do not see it. */

import { clock, foreign, settings } from "./say.js"
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

const NONE = []

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

const ROWS = 2
const ENOUGH = 480

/** A dashed line where something changed, with what it was where there is room for it. */
function drawMarks(chart, marks, { soft, card }) {
  const { ctx, bbox } = chart
  const scale = devicePixelRatio
  const taken = Array(ROWS).fill(bbox.left)
  ctx.save()
  ctx.font = `${11 * scale}px system-ui, sans-serif`
  ctx.strokeStyle = soft
  ctx.textBaseline = "top"
  ctx.setLineDash([3 * scale, 3 * scale])
  for (const mark of marks) {
    const x = chart.valToPos(Date.parse(mark.at) / 1000, "x", true)
    if (x < bbox.left || x > bbox.left + bbox.width) continue
    ctx.beginPath()
    ctx.moveTo(x, bbox.top)
    ctx.lineTo(x, bbox.top + bbox.height)
    ctx.stroke()
    const text = foreign(mark.sentence, 36)
    const width = ctx.measureText(text).width
    const begin = Math.min(x + 4 * scale, bbox.left + bbox.width - width)
    const row = taken.findIndex((end) => end <= begin)
    if (row < 0 || bbox.width < ENOUGH * scale) continue
    taken[row] = begin + width + 8 * scale
    ctx.fillStyle = card
    ctx.fillRect(begin - 2 * scale, bbox.top + row * 15 * scale, width + 4 * scale, 14 * scale)
    ctx.fillStyle = soft
    ctx.fillText(text, begin, bbox.top + (row * 15 + 1) * scale)
  }
  ctx.restore()
}

/**
 * @param {{label: string, start: number, step: number, lines: {name: string, color: string, area?: string, values: (number|null)[]}[], marks?: {at: string, sentence: string}[]}} props
 */
export function Chart({ label, start, step, lines, marks = NONE }) {
  const place = useRef(null)
  const made = useRef(null)
  const dark = useDark()
  const xs = Array.from({ length: lines[0]?.values.length ?? 0 }, (_, index) => start + index * step)
  const data = [xs, ...lines.map((line) => line.values)]
  const shape = `${lines.map((it) => it.name).join()} ${document.documentElement.dataset.theme} ${dark} ${settings.zone}`
  const latest = useRef({ data, marks })
  latest.current = { data, marks }
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
          scales: { y: { range: (_, __, most) => [0, most > 0 ? most * (latest.current.marks.length ? 1.35 : 1.1) : 1] } },
          axes: [{ ...axis, grid: { show: false }, values: (_, ats) => ats.map(time), space: 70, size: 28 }, { ...axis, values: (_, values) => values.map((it) => short.format(it)), size: 46, space: 34 }],
          hooks: { draw: [(drawn) => drawMarks(drawn, latest.current.marks, { soft, card: color("--card") })] },
          series: [{}, ...lines.map((line) => ({ label: line.name, stroke: color(line.color), fill: line.area ? color(line.area) : undefined, width: 1.5, points: { show: false }, spanGaps: false }))],
        },
        latest.current.data,
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
  const told = marks.map((mark) => `${clock(mark.at)} ${foreign(mark.sentence, 80)}`).join("; ")
  return html`<div class="chart" role="img" aria-label=${told ? `${label}. Changes: ${told}` : label} ref=${place} />`
}
