/** All providers, and one: its state and why, its limits, what keeps requests small, replies. */

import { ask, useLook } from "../api.js"
import { Ask, Bar, Card, Doubts, Empty, Filter, Link, State, Table, Time, away } from "../parts.js"
import { ago, clock, foreign, number, rate, seconds, share } from "../say.js"
import { html, useState } from "../vendor/preact.js"
import { ProviderTable } from "./overview.js"

export default function Providers({ me, rest, query }) {
  return rest.length ? html`<${Provider} key=${rest[0]} me=${me} name=${rest[0]} asked=${query.has("ask")} />` : html`<${All} query=${query} />`
}

const MANY = 8

function All({ query }) {
  const look = useLook("api/providers")
  const items = look.data?.items ?? []
  const sought = (query.get("find") ?? "").toLowerCase()
  const found = items.filter((it) => it.name.toLowerCase().includes(sought))
  return html`
    <div class="lead"><h1>Providers</h1>${(items.length >= MANY || sought) && html`<${Filter} first label="Name holds" name="find" query=${query} />`}</div>
    <${Doubts} look=${look} />
    ${look.data && html`<${Card}>${found.length ? html`<${ProviderTable} items=${found} />` : html`<${Empty} title=${items.length ? "No provider is called so." : "No worker has told of a provider yet."} />`}<//>`}
  `
}

function Provider({ me, name, asked }) {
  const look = useLook(`api/providers/${encodeURIComponent(name)}`)
  const [asking, setAsking] = useState(asked && me.role !== "viewer")
  const [said, setSaid] = useState("")
  const it = look.data
  if (!it) return html`<div class="lead"><h1>${foreign(name, 100)}</h1></div><${Doubts} look=${look} />`
  const paused = it.state === "paused"
  const mayChange = me.role !== "viewer"
  function close() {
    setAsking(false)
    if (asked) history.replaceState(null, "", location.pathname)
  }
  async function steer(form) {
    const done = await ask(`api/providers/${encodeURIComponent(name)}/state`, { method: "PUT", body: { paused: !paused, reason: form.get("reason") }, etag: `"${it.etag}"` })
    setSaid([paused ? `${name} goes on.` : `${name} is paused.`, ...(done.value?.warnings ?? [])].join(" "))
    look.again()
  }
  return html`
    <div class="lead">
      <div><p><${Link} to="providers">Providers<//></p><h1>${foreign(it.name, 100)}</h1><p><${State} word=${it.state} /> ${foreign(it.sentence, 400)}</p></div>
      ${mayChange && html`<button disabled=${away(it)} title=${away(it) ? "Kafka does not answer: nothing can be changed" : undefined} onClick=${() => setAsking(true)}>${paused ? "Resume" : "Pause"} …</button>`}
    </div>
    <${Doubts} look=${look} />
    <p role="status" class="soft">${said}</p>
    ${asking && html`<${Ask} title=${paused ? `Send to ${it.name} again?` : `Send nothing more to ${it.name}?`} submit=${paused ? "Resume" : "Pause"} onSubmit=${steer} onClose=${close}>
      <p class="soft">${paused ? `${number(it.waiting)} messages wait for it.` : `Its messages wait, ${number(it.waiting)} now; they still expire${it.expires ? `, the first at ${clock(it.expires)}` : ""}. Requests under way come back.`}</p>
      <label>Why? It stands in the audit log.<input name="reason" required minlength="3" maxlength="200" autocomplete="off" /></label><//>`}
    <${Card} title="Now"><dl class="facts body">
      <${Fact} name="Accepted" value=${rate(it.rate)} />
      <${Fact} name="Waiting" value=${number(it.waiting)} note=${it.waiting ? `the oldest for ${seconds(it.oldest)}` : ""} />
      <${Fact} name="Slots in use" value=${html`${number(it.slots[0])} of ${number(it.slots[1])}<${Bar} part=${it.slots[0]} whole=${it.slots[1]} />`} />
      <${Fact} name="Replies" value=${it.reply_seconds.p50 === null ? "–" : `half in ${seconds(it.reply_seconds.p50)}, 95% in ${seconds(it.reply_seconds.p95)}`} />
      <${Fact} name="Per request" value=${it.per_request.mean === null ? "–" : `${number(it.per_request.mean)} of ${number(it.per_request.full)}`} note=${it.apart ? foreign(it.apart.sentence, 300) : ""} />
      <${Fact} name="Delivered" value=${share(it.delivered)} />
      <${Fact} name="Since" value=${html`<${Time} at=${it.since} />`} note=${it.since ? ago(it.since) : ""} />
      <${Fact} name="Until" value=${html`<${Time} at=${it.until} />`} />
      ${it.paused_by && html`<${Fact} name="Paused by" value=${foreign(it.paused_by.who, 80)} note=${`“${foreign(it.paused_by.reason, 200)}”`} />`}
      <${Fact} name="Obeyed by" value=${it.obeyed} />
    </dl><//>
    <${Card} title="Limits"><dl class="facts body">
      <${Fact} name="Requests" value=${it.limits.requests.join(", ") || "none"} />
      <${Fact} name="Messages" value=${it.limits.records.join(", ") || "none"} />
      <${Fact} name="At once" value=${number(it.limits.concurrency)} />
      <${Fact} name="Hours" value=${it.limits.hours || "always"} />
      <${Fact} name="Failover" value=${it.failover.join(", ") || "none"} />
      <${Fact} name="Account" value=${it.account ?? "its own"} />
    </dl><//>
    <${Since} it=${it} />
    <${Card} title="By worker"><${Table} caption="Workers of this provider" rows=${it.shares} keyOf=${(one) => one.worker} columns=${[{ key: "worker", title: "Worker" }, { key: "state", title: "State" }, { key: "waiting", title: "Waiting", number: true }, { key: "slots", title: "Slots", number: true }, { key: "share", title: "Share", number: true }, { key: "digest", title: "Definition" }]} cell=${shareCell} /><//>
  `
}

function shareCell(it, key) {
  switch (key) {
    case "worker": return foreign(it.worker, 80)
    case "state": return html`<${State} word=${it.state} />${it.reason && html`<small>${foreign(it.reason, 200)}</small>`}`
    case "waiting": return number(it.waiting)
    case "slots": return `${number(it.slots[0])} of ${number(it.slots[1])}`
    case "share": return share(it.share)
    default: return html`<code>${it.digest}</code>${!it.obeys && html`<small class="warn-text">has not heard the last change yet</small>`}`
  }
}

function Fact({ name, value, note }) {
  return html`<div><dt>${name}</dt><dd>${value}</dd>${note && html`<dd><small>${note}</small></dd>`}</div>`
}

/** What was counted since the workers began: what nothing was counted of is left out. */
function Since({ it }) {
  const some = (counts) => Object.values(counts).some((many) => many > 0)
  const cards = [
    some(it.results) && html`<${Tally} title="Results" counts=${it.results} />`,
    some(it.rules) && html`<${Tally} title="Messages by rule" counts=${it.rules} never />`,
    some(it.replies) && html`<${Tally} title="Replies by status" counts=${it.replies} />`,
    it.reply_times.counts.some((many) => many > 0) && html`<${Times} times=${it.reply_times} />`,
    some(it.windows_closed) && html`<${Tally} title="Why windows closed" counts=${it.windows_closed} />`,
    some(it.again) && html`<${Tally} title="Sent again, by reason" counts=${it.again} />`,
  ].filter(Boolean)
  return html`<h2>Since the workers began</h2>
    ${cards.length ? html`<div class="tallies">${cards}</div>` : html`<p class="soft">Nothing has been sent.</p>`}`
}

const TALLY = [{ key: "name", title: "What", long: true }, { key: "many", title: "Number", number: true }]

/** `never`: what did not happen is worth a row as well. */
function Tally({ title, counts, never = false }) {
  const rows = Object.entries(counts).filter(([, many]) => never || many > 0).sort(([, a], [, b]) => b - a)
  const most = rows[0][1]
  const cell = ([name, many], key) => (key === "name" ? foreign(name, 80) : many ? html`${number(many)}<${Bar} part=${many} whole=${most} />` : html`<span class="soft">never</span>`)
  return html`<${Card} title=${title}><${Table} caption=${title} rows=${rows} keyOf=${([name]) => name} columns=${TALLY} cell=${cell} /><//>`
}

const TIMES = [{ key: "within", title: "Within" }, { key: "many", title: "Replies", number: true }]

function Times({ times }) {
  const rows = times.counts.map((many, index) => [times.bounds[index], many]).filter(([, many]) => many > 0)
  const most = Math.max(...rows.map(([, many]) => many))
  const cell = ([bound, many], key) => (key === "many" ? html`${number(many)}<${Bar} part=${many} whole=${most} />` : bound === undefined ? "longer" : seconds(bound))
  return html`<${Card} title="How long replies took"><${Table} caption="How long replies took" rows=${rows} keyOf=${([bound]) => bound ?? "longer"} columns=${TIMES} cell=${cell} /><//>`
}
