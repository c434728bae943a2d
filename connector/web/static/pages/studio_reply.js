// A reply, pasted: what it means for each message, which rule decided and why the others did not, and a rule made of it.
import { Card, Sentence, Sign, Table } from "../parts.js"
import { count, exact, foreign, visible } from "../say.js"
import { html } from "../vendor/preact.js"
import { Trouble } from "./studio_parts.js"

const ICONS = { accept: "good", reject: "bad", unknown: "odd", uncertain: "odd" }
const WORDS = {
  accept: "accepted",
  reject: "rejected",
  unknown: "unknown",
  uncertain: "uncertain",
  retry: "sent again",
  throttle: "throttled",
  pause: "paused",
  defer: "deferred",
  split: "split",
}
const COLUMNS = [
  { key: "messages", title: "Message", long: true },
  { key: "means", title: "Means", long: true },
  { key: "rule", title: "Decided by", long: true },
]
const SHOWN = 3

export function headersOf(text) {
  const headers = {}
  for (const line of text.split("\n")) {
    const [name, ...value] = line.split(":")
    if (name.trim() && value.length) headers[name.trim()] = value.join(":").trim()
  }
  return headers
}

function Details({ it }) {
  const said = [
    ["id", it.id],
    ["batch", it.batch],
    ["code", it.code],
    ["after", it.after == null ? "" : `${it.after} s`],
    ["until", it.until == null ? "" : exact(it.until * 1000)],
    ["reason", it.reason],
  ]
  return said.filter(([, value]) => value).map(([name, value]) => html`<small>${name} <span class="said">${foreign(value, 200)}</span></small>`)
}

/** Messages that mean the same stand in one row. */
function grouped(messages) {
  const rows = new Map()
  for (const each of messages) {
    const key = JSON.stringify([each.then, each.rule, each.code, each.reason, each.after, each.id ? each.message_id : ""])
    if (!rows.has(key)) rows.set(key, { ...each, names: [] })
    rows.get(key).names.push(each.message_id)
  }
  return [...rows.values()]
}

function cell(row, key) {
  if (row.absent) return { messages: html`<code>${foreign(row.absent.message, 64)}</code>`, means: html`<${Sign} icon="none">not in it<//>`, rule: foreign(row.absent.reason, 200) }[key]
  switch (key) {
    case "messages": return html`<code>${row.names.slice(0, SHOWN).map((name) => foreign(name, 64)).join(", ")}</code>${row.names.length > SHOWN && ` and ${count(row.names.length - SHOWN, "more", "more")}`}`
    case "means": return html`<${Sign} icon=${ICONS[row.then] ?? "warn"}>${WORDS[row.then] ?? row.then}<//><${Details} it=${row} />`
    default: return html`<code>${row.rule}</code>`
  }
}

function Considered({ considered }) {
  const no = considered.filter((each) => !each.held)
  if (!no.length) return null
  return html`<details open=${no.length < 6}>
    <summary>${count(no.length, "rule")} did not hold</summary>
    <ul class="whys">${no.map((each) => html`<li><code>${each.rule}</code>${each.entry && ` of entry ${each.entry}`}: <${Sentence} text=${foreign(each.why, 400)} /></li>`)}</ul>
  </details>`
}

export function ReplyPanel({ reply, answered, trouble, stale, onReply, onRule }) {
  const set = (field) => (event) => onReply({ ...reply, [field]: field === "status" ? Number(event.target.value) : event.target.value })
  const rows = answered ? [...grouped(answered.messages), ...answered.absent.map((absent) => ({ absent }))] : []
  return html`<${Card} class=${stale ? "card old" : "card"} title="Reply" end=${html`<label class="row">Status <input class="short" type="number" min="100" max="599" value=${reply.status} onInput=${set("status")} /></label>`}>
    <div class="body stack edge-end">
      <label class="field">Body <small>paste what the provider answered</small>
        <textarea class="mono" rows="3" spellcheck="false" value=${reply.body} onInput=${set("body")} placeholder=${'{"status": "queued", "id": "3763646c"}'}></textarea></label>
      <details><summary>Headers</summary>
        <label class="field"><span class="hear">Headers of the reply, one a line</span>
          <textarea class="mono" rows="2" spellcheck="false" value=${reply.headers} onInput=${set("headers")} placeholder="Retry-After: 30"></textarea></label></details>
    </div>
    ${trouble && html`<div class="body"><${Trouble} trouble=${trouble} /></div>`}
    ${answered
      ? html`<${Table} caption="What it means" columns=${COLUMNS} rows=${rows} keyOf=${(row) => rows.indexOf(row)} cell=${cell} />
        ${(answered.considered.some((each) => !each.held) || answered.failed.length > 0) && html`<div class="body soft edge-start">
          <${Considered} considered=${answered.considered} />${answered.failed.map((each) => html`<div class="warn-text"><${Sentence} text=${visible(each)} /></div>`)}</div>`}
        ${answered.proposals.length > 0 && html`<div class="body row edge-start">
          <span class="soft">Make a rule of this reply:</span>
          ${answered.proposals.map((each, choice) => html`<button type="button" class="small" title=${each.rule} disabled=${stale} onClick=${() => onRule(choice)}><span><${Sentence} text=${foreign(each.about, 120)} /></span></button>`)}</div>`}`
      : html`<p class="body soft">${reply.body ? "What it means is shown once the definition is whole." : "What it means for each message, and which rule decides, is shown here."}</p>`}<//>`
}
