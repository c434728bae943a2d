/** Results as they come: a sample of what passes, new ones on top. */

import { base, get, useLook } from "../api.js"
import { Card, Empty, Filter, Outcome, Table, Time } from "../parts.js"
import { filters } from "../place.js"
import { count, foreign, number } from "../say.js"
import { html, useEffect, useState } from "../vendor/preact.js"

const MOST = 500
const STATUSES = ["accepted", "rejected", "failed", "unknown", "expired", "cancelled", "invalid", "duplicate", "suppressed"]
const COLUMNS = [
  { key: "at", title: "Time" },
  { key: "status", title: "Status" },
  { key: "provider", title: "Provider", short: true },
  { key: "campaign", title: "Campaign", long: true },
  { key: "to", title: "To", short: true },
  { key: "reason", title: "Why", long: true },
]

export default function Tail({ query }) {
  const [running, setRunning] = useState(true)
  const [rows, setRows] = useState([])
  const [counted, setCounted] = useState(null)
  const [lost, setLost] = useState(false)
  const providers = useLook("api/providers", 60_000).data?.items.map((it) => it.name) ?? []
  const filtered = filters(query, ["status", "provider", "campaign"])
  useEffect(() => setRows([]), [filtered])
  useEffect(() => {
    if (!running) return undefined
    const stream = new EventSource(new URL(`api/tail?${filtered}`, base))
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
    stream.onerror = () => {
      setLost(true)
      // It does not say why: perhaps nobody is signed in any more.
      get("api/me").catch((error) => error.status === 401 && dispatchEvent(new Event("signed-out")))
    }
    return () => {
      clearInterval(paint)
      stream.close()
    }
  }, [running, filtered])
  return html`
    <div class="lead"><div><h1>Live tail</h1><p role="status">${told({ lost, counted, running })}</p></div>
      <button onClick=${() => setRunning(!running)}>${running ? "Stop" : "Go on"}</button></div>
    <div class="row filters">
      <${Filter} label="Status" name="status" query=${query} options=${STATUSES} />
      <${Filter} first label="Provider" name="provider" query=${query} suggestions=${providers} />
      <${Filter} label="Campaign" name="campaign" query=${query} />
    </div>
    <${Card}>${rows.length ? html`<${Table} caption="Results, newest first" rows=${rows} keyOf=${(it) => `${it.place.topic}/${it.place.partition}/${it.place.offset}`} cell=${cell} columns=${COLUMNS} />` : html`<${Empty} title=${filtered ? "No result has passed the filter yet." : "No result has come yet."} />`}<//>
  `
}

function told({ lost, counted, running }) {
  if (!running) return "Stopped; what is here stays."
  if (lost) return "The stream is broken; it is tried again."
  if (!counted) return "Waiting for results …"
  if (counted.away) return "Kafka does not answer; it is asked again."
  if (!counted.begun) return "Results are about to be read …"
  return `In the last second ${count(counted.came, "result")} came${counted.estimated ? " (about)" : ""}, ${number(counted.passed)} ${counted.passed === 1 ? "passes" : "pass"} the filter, ${number(counted.shown)} ${counted.shown === 1 ? "is" : "are"} shown.`
}

function cell(it, key) {
  switch (key) {
    case "at": return html`<${Time} at=${it.at} precise />`
    case "status": return html`<${Outcome} word=${it.status} />`
    case "provider": return foreign(it.provider ?? "–", 80)
    case "campaign": return foreign(it.campaign_id ?? "–", 120)
    case "to": return it.to ? html`<span class="mono">${foreign(it.to, 40)}</span>` : "–"
    default: return foreign([it.code, it.reason].filter(Boolean).join(" ") || "–", 300)
  }
}
