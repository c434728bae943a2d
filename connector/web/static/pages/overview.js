/** Is it working? A sentence answers; below it what needs attention, by messages at stake. */

import { useLook } from "../api.js"
import { Chart } from "../chart.js"
import { deedSentence, deedsOf, keyOfDeed } from "../deeds.js"
import { Icon } from "../icons.js"
import { Bar, Card, Choice, Doubts, Empty, Link, State, TONES, Table, Time, away } from "../parts.js"
import { ago, count, foreign, number, rate, seconds, share } from "../say.js"
import { html, useState } from "../vendor/preact.js"

const RANGES = [["15m", "15 min"], ["1h", "1 h"], ["6h", "6 h"], ["24h", "24 h"]]
const DEEDS = 5

export default function Overview({ me }) {
  const [range, setRange] = useState("1h")
  const look = useLook(`api/overview?range=${range}`, 2000)
  const data = look.data
  if (!data) return html`<${Doubts} look=${look} />${!look.error && html`<p class="empty" role="status">Looking at workers and Kafka …</p>`}`
  return html`
    <div class="lead">
      <div><h1>${foreign(data.sentence, 300)}</h1><p>${foreign(data.detail, 500)}</p></div>
      <${Choice} label="Range" options=${RANGES} value=${range} onChoose=${setRange} />
    </div>
    <${Doubts} look=${look} />
    <${Attention} items=${data.attention} me=${me} away=${away(data)} />
    <${Figures} it=${data.figures} />
    <${Curves} range=${range} />
    ${data.providers.length
      ? html`<${Card} title="Providers" end=${html`<${Link} to="providers">All of them<//>`}><${ProviderTable} items=${data.providers} /><//>`
      : html`<${Beginning} pages=${me.pages} />`}
    ${data.deeds.length > 0 && html`<${Card} title="What people did" end=${me.pages.includes("audit") && html`<${Link} to="audit">All of it<//>`}><ul class="needs">${deedsOf(data.deeds).slice(0, DEEDS).map((it) => html`<${Deed} key=${keyOfDeed(it)} it=${it} />`)}</ul><//>`}
  `
}

function Deed({ it }) {
  return html`<li><span class="soft"><${Icon} name="audit" /></span><div>
    <strong>${deedSentence(it)}</strong>
    <p><${Time} at=${it.at} />${it.reason && html`: “${foreign(it.reason, 200)}”`}${it.done === "failed" && html` <span class="bad-text">failed: ${foreign(it.error, 200)}</span>`}${it.done === "asked" && html` <span class="odd-text">${foreign(it.known, 200)}</span>`}</p></div></li>`
}

function Attention({ items, me, away }) {
  if (!items.length) return html`<${Card} title="Needs attention"><p class="body row"><span class="good"><${Icon} name="good" /></span>Nothing does.</p><//>`
  return html`<${Card} title="Needs attention" end=${html`<small>most messages at stake first</small>`}>
    <ul class="needs">${items.map((it) => html`<li key=${it.kind + it.subject}>
      <span class=${TONES[it.severity]}><${Icon} name=${it.severity} /></span>
      <div><strong>${foreign(it.sentence, 300)}</strong>
        <p>${foreign(it.detail, 600)}${it.since && html` Since <${Time} at=${it.since} /> (${ago(it.since)}).`}${it.expires && html` None expires before <${Time} at=${it.expires} />.`}</p></div>
      <div class="row">
        ${it.actions.map((act) => [act.label, placeOf(act, me, away)]).filter(([, to]) => to).map(([label, to]) => html`<${Link} key=${label} to=${to} class="button">${label}<//>`)}
      </div>
    </li>`)}</ul><//>`
}

/** Where something can be done about it: a page that there is, or a provider's, with its question open. */
function placeOf(act, me, away) {
  if (act.operation) return act.target && me.role !== "viewer" && !away ? `providers/${encodeURIComponent(act.target)}?ask` : null
  const page = (act.page ?? "").replace(/^\/+/, "")
  return me.pages.includes(page.split(/[/?]/)[0]) ? page : null
}

function Figures({ it }) {
  const all = [
    ["Accepted", rate(it.accepted_rate), `of ${rate(it.ended_rate)} that ended`],
    ["Rejected", share(it.rejected_share), "in this range"],
    ["Unknown", number(it.unknown), "may have arrived, not sent again", it.unknown ? "odd-text" : ""],
    ["Failed", number(it.failed), "given up after retries", it.failed ? "bad-text" : ""],
    ["Expired", number(it.expired), "not sent in time", it.expired ? "warn-text" : ""],
    ["Behind", number(it.waiting), it.waiting ? `the oldest for ${seconds(it.oldest)}` : "nothing waits"],
  ]
  return html`<section class="card" aria-label="Figures"><dl class="figures">${all.map(([name, value, note, tone]) => html`<div key=${name}><dt>${name}</dt><dd class=${tone}>${value}</dd><dd>${note}</dd></div>`)}</dl></section>`
}

function Curves({ range }) {
  const look = useLook(`api/series?names=results&by=status&range=${range}`, 5000)
  const behind = useLook(`api/series?names=waiting_messages&range=${range}`, 5000)
  const [table, setTable] = useState(false)
  const of = (status) => look.data?.series.find((it) => it.labels.status === status)?.values
  const length = look.data?.series[0]?.values.length ?? 0
  const nothing = Array(length).fill(null)
  const lines = [
    { name: "accepted", color: "--good", area: "--good-area", values: of("accepted") ?? nothing },
    { name: "rejected", color: "--bad", values: of("rejected") ?? nothing },
    { name: "unknown", color: "--odd", values: of("unknown") ?? nothing },
  ]
  return html`<div class="charts">
    <${Card} title="Messages per second" end=${html`<div class="row"><span class="legend">${lines.map((it) => html`<span key=${it.name}><i style=${{ background: `var(${it.color})` }} />${it.name}</span>`)}</span><button class="plain" aria-pressed=${String(table)} onClick=${() => setTable(!table)}>As table</button></div>`}>
      <div class="body">${!length ? html`<p class="empty">No figures yet: they begin with this console.</p>` : table ? html`<${Figured} look=${look.data} lines=${lines} />` : html`<${Chart} label="Messages per second by status" start=${look.data.start} step=${look.data.step} lines=${lines} marks=${look.data.marks} />`}</div><//>
    <${Card} title="Behind" end=${html`<small>messages without a result</small>`}>
      <div class="body">${behind.data?.series.length ? html`<${Chart} label="Messages that wait" start=${behind.data.start} step=${behind.data.step} lines=${[{ name: "waiting", color: "--link", area: "--blue-area", values: behind.data.series[0].values }]} />` : html`<p class="empty">No figures yet.</p>`}</div><//>
  </div>`
}

function Figured({ look, lines }) {
  const every = Math.max(1, Math.ceil(look.series[0].values.length / 24))
  const rows = look.series[0].values.map((_, index) => index).filter((index) => index % every === 0).reverse()
  const columns = [{ key: "at", title: "Time" }, ...lines.map((it) => ({ key: it.name, title: it.name, number: true }))]
  return html`<${Table} caption="Messages per second" columns=${columns} rows=${rows} keyOf=${(it) => it} cell=${(index, key) => (key === "at" ? html`<${Time} at=${new Date((look.start + index * look.step) * 1000).toISOString()} />` : rate(lines.find((it) => it.name === key).values[index]))} />`
}

const COLUMNS = [
  { key: "name", title: "Provider" },
  { key: "state", title: "State" },
  { key: "rate", title: "Accepted", number: true },
  { key: "per_request", title: "Per request", number: true, minor: true },
  { key: "slots", title: "Slots in use", number: true, minor: true },
  { key: "reply", title: "Reply, 95%", number: true, minor: true },
  { key: "waiting", title: "Waiting", number: true },
]

export function ProviderTable({ items }) {
  return html`<${Table} caption="Providers" columns=${COLUMNS} rows=${items} keyOf=${(it) => it.name} cell=${cell} />`
}

function cell(it, key) {
  switch (key) {
    case "name": return html`<${Link} to=${`providers/${encodeURIComponent(it.name)}`}>${foreign(it.name, 64)}<//>`
    case "state": return html`<${State} word=${it.state} />${it.state !== "sending" && it.sentence && html`<small>${foreign(it.sentence, 160)}</small>`}`
    case "rate": return rate(it.rate)
    case "per_request": return it.per_request.mean === null ? "–" : `${number(it.per_request.mean)} of ${number(it.per_request.full)}`
    case "slots": return html`${number(it.slots[0])} of ${number(it.slots[1])}<${Bar} part=${it.slots[0]} whole=${it.slots[1]} />`
    case "reply": return seconds(it.reply_seconds.p95)
    default: return html`${number(it.waiting)}${it.retrying > 0 && html`<small>${count(it.retrying, "message")} wait longer</small>`}`
  }
}

function Beginning({ pages }) {
  return html`<${Card} title="Three steps to the first message"><${Empty} title="No worker has told of a provider yet.">
    <p>Add a provider${pages.includes("studio") && html` in <${Link} to="studio">Studio<//>`}, start a worker with <code>sms-connector run</code>, and put an event into the topic with <code>sms-connector send</code>.</p><//><//>`
}
