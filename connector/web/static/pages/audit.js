/** What people did, the newest first. */

import { get, useLook } from "../api.js"
import { Ended, deedsOf, keyOfDeed } from "../deeds.js"
import { Card, Doubts, Empty, Filter, Table, Time } from "../parts.js"
import { filters } from "../place.js"
import { foreign } from "../say.js"
import { html, useEffect, useState } from "../vendor/preact.js"

/** How the names of deeds begin. */
const KINDS = ["campaign", "definition", "provider", "test"]
const COLUMNS = [
  { key: "at", title: "Time" },
  { key: "who", title: "Who" },
  { key: "what", title: "What", short: true },
  { key: "target", title: "To what", long: true },
  { key: "reason", title: "Why", long: true },
  { key: "done", title: "How it ended" },
]

export default function Audit({ query }) {
  const filtered = filters(query, ["who", "what", "target"])
  const look = useLook(`api/audit?${filtered}`, 5000)
  const [older, setOlder] = useState({ of: filtered, items: [], next: undefined, trouble: "" })
  useEffect(() => setOlder({ of: filtered, items: [], next: undefined, trouble: "" }), [filtered])
  const data = look.data
  const next = older.next === undefined ? data?.next : older.next
  const known = new Set(data?.items.map(keyOfDeed))
  const rows = data ? deedsOf([...data.items, ...older.items.filter((it) => !known.has(keyOfDeed(it)))]) : []
  async function further() {
    try {
      const found = await get(`api/audit?${filtered}${filtered ? "&" : ""}cursor=${encodeURIComponent(next)}`)
      setOlder((before) => (before.of === filtered ? { ...before, items: [...before.items, ...found.items], next: found.next, trouble: "" } : before))
    } catch (error) {
      setOlder((before) => ({ ...before, trouble: error.message }))
    }
  }
  return html`
    <div class="lead"><div><h1>Audit log</h1><p>What people did through the console and the command line.</p></div></div>
    <${Doubts} look=${look} />
    <div class="row filters">
      <${Filter} first label="Who" name="who" query=${query} />
      <${Filter} label="What" name="what" query=${query} options=${KINDS} />
      <${Filter} label="To what" name="target" query=${query} />
    </div>
    ${data && html`<${Card}>${rows.length ? html`<${Table} caption="What people did" rows=${rows} keyOf=${keyOfDeed} cell=${cell} columns=${COLUMNS} />` : html`<${Empty} title=${!data.recorded ? "There is no audit topic: what people do is not recorded." : filtered ? "Nobody has done such a thing." : "Nobody has done anything yet."}>${!data.recorded && html`<p><code>sms-connector topics create</code> makes it.</p>`}<//>`}
      ${next && html`<p class="body row"><button onClick=${further}>Show older</button>${older.trouble && html`<span class="bad-text" role="alert">${foreign(older.trouble, 200)}</span>`}</p>`}<//>`}
  `
}

function cell(it, key) {
  switch (key) {
    case "at": return html`<${Time} at=${it.at} />`
    case "who": return html`${foreign(it.who, 80)}<small>${foreign([it.role, it.via].filter(Boolean).join(", "), 48)}</small>`
    case "what": return foreign(it.what, 64)
    case "target": return foreign(it.target, 120)
    case "reason": return foreign(it.reason || "–", 200)
    default: return html`<${Ended} it=${it} />`
  }
}
