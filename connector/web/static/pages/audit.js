/** What people did, the newest first. */

import { useLook } from "../api.js"
import { Card, Doubts, Empty, Table, Time } from "../parts.js"
import { foreign } from "../say.js"
import { html } from "../vendor/preact.js"

export default function Audit() {
  const look = useLook("api/audit", 5000)
  const data = look.data
  return html`
    <div class="lead"><h1>Audit log</h1></div>
    <${Doubts} look=${look} />
    ${data && html`<${Card}>${data.items.length ? html`<${Table} caption="What people did" rows=${data.items} keyOf=${(it) => it.request + it.at} cell=${cell} columns=${[{ key: "at", title: "Time" }, { key: "who", title: "Who" }, { key: "what", title: "What" }, { key: "target", title: "To what" }, { key: "reason", title: "Why", long: true }, { key: "done", title: "Done" }]} />` : html`<${Empty} title=${data.recorded ? "Nobody has done anything yet." : "There is no audit topic: what people do is not recorded."} />`}<//>`}
  `
}

function cell(it, key) {
  switch (key) {
    case "at": return html`<${Time} at=${it.at} />`
    case "who": return html`${foreign(it.who, 80)}<small>${it.role}, ${it.via}</small>`
    case "what": return it.what
    case "target": return foreign(it.target, 120)
    case "reason": return foreign(it.reason || "–", 200)
    default: return it.done === "failed" ? html`<span class="bad-text">failed</span><small>${foreign(it.error, 200)}</small>` : it.done
  }
}
