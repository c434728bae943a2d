/** All providers, and one: its state and why, its limits, what keeps requests small, replies. */

import { change, useLook } from "../api.js"
import { Ask, Bar, Card, Doubts, Empty, Link, State, Table, Time } from "../parts.js"
import { ago, foreign, number, rate, seconds, share } from "../say.js"
import { html, useState } from "../vendor/preact.js"
import { ProviderTable } from "./overview.js"

export default function Providers({ me, rest, query }) {
  return rest.length ? html`<${Provider} key=${rest[0]} me=${me} name=${rest[0]} ask=${query.has("ask")} />` : html`<${All} />`
}

function All() {
  const look = useLook("api/providers")
  return html`
    <div class="lead"><h1>Providers</h1></div>
    <${Doubts} look=${look} />
    ${look.data && (look.data.items.length ? html`<${Card}><${ProviderTable} items=${look.data.items} /><//>` : html`<${Card}><${Empty} title="No worker has told of a provider yet." /><//>`)}
  `
}

function Provider({ me, name, ask }) {
  const look = useLook(`api/providers/${encodeURIComponent(name)}`)
  const [asking, setAsking] = useState(ask && me.role !== "viewer")
  const [said, setSaid] = useState("")
  const it = look.data
  if (!it) return html`<div class="lead"><h1>${foreign(name, 100)}</h1></div><${Doubts} look=${look} />`
  const paused = it.state === "paused"
  const mayChange = me.role !== "viewer"
  function close() {
    setAsking(false)
    if (ask) history.replaceState(null, "", location.pathname)
  }
  async function steer(form) {
    const done = await change("PUT", `api/providers/${encodeURIComponent(name)}/state`, { paused: !paused, reason: form.get("reason") }, { etag: `"${it.etag}"` })
    setSaid([paused ? `${name} goes on.` : `${name} is paused.`, ...(done?.warnings ?? [])].join(" "))
    look.again()
  }
  return html`
    <div class="lead">
      <div><p><${Link} to="providers">Providers<//></p><h1>${it.name}</h1><p><${State} word=${it.state} /> ${foreign(it.sentence, 400)}</p></div>
      ${mayChange && html`<button onClick=${() => setAsking(true)}>${paused ? "Resume" : "Pause"} …</button>`}
    </div>
    <${Doubts} look=${look} />
    <p role="status" class="soft">${said}</p>
    ${asking && html`<${Ask} title=${paused ? `Send to ${it.name} again?` : `Send nothing more to ${it.name}?`} submit=${paused ? "Resume" : "Pause"} onSubmit=${steer} onClose=${close}>
      <p class="soft">${paused ? `${number(it.waiting)} messages wait for it.` : `Its messages wait, ${number(it.waiting)} now; they still expire${it.expires ? `, the first at ${new Date(it.expires).toLocaleTimeString()}` : ""}. Requests under way come back.`}</p>
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
    <div class="charts even">
      <${Tally} title="Results since the workers began" counts=${it.results} />
      <${Tally} title="Replies by status" counts=${it.replies} />
    </div>
    <div class="charts even">
      <${Tally} title="Why windows closed" counts=${it.windows_closed} />
      <${Tally} title="Sent again, by reason" counts=${it.again} />
    </div>
    <div class="charts even">
      <${Tally} title="Messages by the rule that decided" counts=${it.rules} zeros />
      <${Tally} title="Replies by how long they took" counts=${took(it.reply_times)} inOrder />
    </div>
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

/** Replies by the bound within which they came. */
function took({ bounds, counts }) {
  const within = bounds.map((bound, index) => [`up to ${seconds(bound)}`, counts[index]])
  return Object.fromEntries([...within, ["longer", counts.at(-1)]])
}

/** @param {{title: string, counts: Record<string, number>, zeros?: boolean, inOrder?: boolean}} props */
function Tally({ title, counts, zeros = false, inOrder = false }) {
  const rows = Object.entries(counts).filter(([, many]) => zeros || many > 0)
  if (!inOrder) rows.sort(([, a], [, b]) => b - a)
  return html`<${Card} title=${title}>${rows.length ? html`<${Table} caption=${title} rows=${rows} keyOf=${([name]) => name} columns=${[{ key: "name", title: "What" }, { key: "many", title: "Number", number: true }]} cell=${([name, many], key) => (key === "name" ? foreign(name, 80) : number(many))} />` : html`<p class="empty">None yet.</p>`}<//>`
}
