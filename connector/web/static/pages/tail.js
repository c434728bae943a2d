/** Results as they come: a sample of what passes, new ones on top. */

import { base } from "../api.js"
import { Card, Empty, Outcome, Table, Time } from "../parts.js"
import { count, foreign, number } from "../say.js"
import { html, useEffect, useState } from "../vendor/preact.js"

const MOST = 500
const STATUSES = ["accepted", "rejected", "failed", "unknown", "expired", "cancelled", "invalid", "duplicate", "suppressed"]

export default function Tail() {
  const [filter, setFilter] = useState({ status: "", provider: "" })
  const [running, setRunning] = useState(true)
  const [rows, setRows] = useState([])
  const [counted, setCounted] = useState(null)
  const [lost, setLost] = useState(false)
  useEffect(() => {
    if (!running) return undefined
    const url = new URL("api/tail", base)
    for (const [name, value] of Object.entries(filter)) if (value) url.searchParams.set(name, value)
    const stream = new EventSource(url)
    let waiting = []
    // At most five paintings a second, however many come.
    const paint = setInterval(() => {
      if (!waiting.length) return
      const fresh = waiting.reverse()
      waiting = []
      setRows((before) => [...fresh, ...before].slice(0, MOST))
    }, 200)
    stream.addEventListener("row", (event) => waiting.push(JSON.parse(event.data)))
    stream.addEventListener("count", (event) => setCounted(JSON.parse(event.data)))
    stream.onopen = () => setLost(false)
    stream.onerror = () => setLost(true)
    return () => {
      clearInterval(paint)
      stream.close()
    }
  }, [running, filter.status, filter.provider])
  const set = (name) => (event) => setFilter({ ...filter, [name]: event.target.value })
  return html`
    <div class="lead"><div><h1>Live tail</h1><p role="status">${lost ? "The stream is broken; it is tried again." : counted ? counted.away ? "Kafka does not answer; it is asked again." : `In the last second ${count(counted.came, "result")} came${counted.estimated ? " (about)" : ""}, ${number(counted.passed)} ${counted.passed === 1 ? "passes" : "pass"} the filter, ${number(counted.shown)} ${counted.shown === 1 ? "is" : "are"} shown.` : running ? "Waiting for results …" : "Stopped; what is here stays."}</p></div>
      <button onClick=${() => setRunning(!running)}>${running ? "Stop" : "Go on"}</button></div>
    <div class="row">
      <label>Status<select value=${filter.status} onChange=${set("status")}><option value="">all</option>${STATUSES.map((it) => html`<option key=${it}>${it}</option>`)}</select></label>
      <label>Provider<input value=${filter.provider} onChange=${set("provider")} autocomplete="off" /></label>
    </div>
    <${Card}>${rows.length ? html`<${Table} caption="Results, newest first" rows=${rows} keyOf=${(it) => `${it.place.topic}/${it.place.partition}/${it.place.offset}`} cell=${cell} columns=${[{ key: "at", title: "Time" }, { key: "status", title: "Status" }, { key: "provider", title: "Provider" }, { key: "campaign", title: "Campaign", long: true }, { key: "to", title: "To" }, { key: "reason", title: "Why", long: true }]} />` : html`<${Empty} title="No result has passed yet." />`}<//>
  `
}

function cell(it, key) {
  switch (key) {
    case "at": return html`<${Time} at=${it.at} precise />`
    case "status": return html`<${Outcome} word=${it.status} />`
    case "provider": return foreign(it.provider ?? "–", 80)
    case "campaign": return foreign(it.campaign_id ?? "–", 120)
    case "to": return html`<span class="mono">${foreign(it.to ?? "–", 40)}</span>`
    default: return foreign([it.code, it.reason].filter(Boolean).join(" ") || "–", 300)
  }
}
