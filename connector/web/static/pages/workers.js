/** Workers, and partitions with what holds each. */

import { useLook } from "../api.js"
import { Bar, Card, Doubts, Empty, Filter, Sign, Table, Time } from "../parts.js"
import { bytes, count, foreign, number, rate, seconds } from "../say.js"
import { html, useState } from "../vendor/preact.js"

export default function Workers({ query }) {
  const look = useLook("api/workers")
  const data = look.data
  const sought = (query.get("find") ?? "").toLowerCase()
  const found = data?.items.filter((it) => `${it.id} ${it.address}`.toLowerCase().includes(sought)) ?? []
  const silent = data?.items.filter((it) => it.silent).length ?? 0
  return html`
    <div class="lead"><div><h1>${data ? `${count(data.items.length - silent, "worker")} ${data.items.length - silent === 1 ? "answers" : "answer"}${silent ? `, ${number(silent)} ${silent === 1 ? "is" : "are"} silent` : ""}` : "Workers"}</h1>
      ${data && html`<p>Group ${foreign(data.group, 120)}${data.members !== null && html`, ${count(data.members, "member")}`}${data.group_state && html`, ${data.group_state}`}.</p>`}</div>
      <${Filter} first label="Worker or partition" name="find" query=${query} /></div>
    <${Doubts} look=${look} />
    ${data && html`<${Card}>${found.length ? html`<${Table} caption="Workers" rows=${found} keyOf=${(it) => it.id} cell=${worker} columns=${[{ key: "id", title: "Worker" }, { key: "state", title: "State" }, { key: "partitions", title: "Partitions", number: true }, { key: "lag", title: "Behind", number: true }, { key: "rate", title: "Ended", number: true }, { key: "memory", title: "Memory", number: true }, { key: "loop", title: "Loop late", number: true }, { key: "version", title: "Version" }]} />` : data.items.length ? html`<${Empty} title="No worker is called so." />` : html`<${Empty} title="There are no workers."><p>Start one with <code>sms-connector run</code>.</p><//>`}<//>`}
    <${Partitions} sought=${sought} />
  `
}

function worker(it, key) {
  switch (key) {
    case "id": return html`${foreign(it.id, 80)}<small>${foreign(it.address, 120)}</small>`
    case "state":
      if (it.silent) return html`<${Sign} icon="bad">silent<//><small>${foreign(it.error, 200)}${it.seen && html`; seen <${Time} at=${it.seen} />`}</small>`
      return it.ready ? html`<${Sign} icon="good">ready<//>` : html`<${Sign} icon="warn">not ready<//><small>${foreign(it.reason, 200)}</small>`
    case "partitions": return it.partitions === null ? "–" : number(Object.values(it.partitions).reduce((sum, some) => sum + some.length, 0))
    case "lag": return number(it.lag)
    case "rate": return rate(it.rate)
    case "memory": return it.memory === null ? "–" : html`${bytes(it.memory.resident)}<small>${number(it.memory.messages)} open<${Bar} part=${it.memory.messages} whole=${it.memory.messages_limit} /></small>`
    case "loop": return seconds(it.loop_lag)
    default: return html`${it.version ?? "–"}${it.started && html`<small>since <${Time} at=${it.started} /></small>`}`
  }
}

const MANY = 60

function Partitions({ sought }) {
  const look = useLook("api/partitions", 5000)
  const [all, setAll] = useState(false)
  const rows = (look.data?.items ?? []).filter((it) => `${it.topic}/${it.partition} ${it.owner ?? ""}`.toLowerCase().includes(sought)).sort((a, b) => b.lag - a.lag)
  const shown = all ? rows : rows.slice(0, MANY)
  return html`<${Card} title="Partitions" end=${html`<small>most behind first</small>`}>
    ${rows.length ? html`<${Table} caption="Partitions" rows=${shown} keyOf=${(it) => `${it.topic}/${it.partition}`} cell=${partition} columns=${[{ key: "place", title: "Partition" }, { key: "lag", title: "Behind", number: true }, { key: "owner", title: "Owner" }, { key: "oldest", title: "Oldest open event" }, { key: "end", title: "End", number: true }]} />` : html`<p class="empty" role="status">${look.error ? "Kafka has not told." : look.data?.items.length ? "No partition is called so, and no owner." : look.data ? "There are no partitions: the topics are not there, or Kafka has not told yet." : "Looking …"}</p>`}
    ${rows.length > shown.length && html`<p class="body"><button onClick=${() => setAll(true)}>Show all ${number(rows.length)}</button></p>`}
  <//>`
}

function partition(it, key) {
  switch (key) {
    case "place": return `${it.topic}/${it.partition}`
    case "lag": return number(it.lag)
    case "owner": return it.owner === null ? html`<span class="warn-text">nobody</span>` : foreign(it.owner, 80)
    case "oldest": return it.oldest === null ? (it.lag ? "looking …" : "–") : html`${seconds(it.oldest.age)}${it.oldest.provider && html`, ${foreign(it.oldest.provider, 80)}`}<small>${foreign(it.oldest.holds, 300)}</small>`
    default: return number(it.end)
  }
}
