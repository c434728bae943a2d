// A reply, pasted: what it means for each message, which rule decided and why the others did not, and a rule made of it.
import { html } from "../vendor/preact.js"
import { Message, Sentence, State, count } from "./studio_parts.js"
import { visible } from "./studio_api.js"

const KINDS = { accept: "ok", reject: "bad", unknown: "odd", uncertain: "odd", retry: "warn", throttle: "warn", pause: "warn", defer: "warn", split: "warn" }
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

export function headersOf(text) {
  const headers = {}
  for (const line of text.split("\n")) {
    const [name, ...value] = line.split(":")
    if (name.trim() && value.length) headers[name.trim()] = value.join(":").trim()
  }
  return headers
}

function details(each) {
  const said = []
  if (each.id) said.push(["id", each.id])
  if (each.batch) said.push(["batch", each.batch])
  if (each.code) said.push(["code", each.code])
  if (each.after != null) said.push(["after", `${each.after} s`])
  if (each.until != null) said.push(["until", new Date(each.until * 1000).toLocaleString()])
  if (each.reason) said.push(["reason", each.reason])
  return said.map(([name, value]) => html`<span class="pair"><span class="dim">${name}</span> ${visible(value)}</span>`)
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

function Considered({ considered }) {
  const no = considered.filter((each) => !each.held)
  if (!no.length) return null
  return html`<details open=${no.length < 6}>
    <summary>${count(no.length, "rule")} did not hold</summary>
    <ul class="whys">
      ${no.map((each) => html` <li><code>${each.rule}</code>${each.entry ? ` of entry ${each.entry}` : ""}: <${Sentence} text=${visible(each.why)} /></li>`)}
    </ul>
  </details>`
}

export function ReplyPanel({ reply, answered, trouble, stale, onReply, onRule }) {
  const set = (field) => (event) => onReply({ ...reply, [field]: field === "status" ? Number(event.target.value) : event.target.value })
  return html`<section class=${`panel ${stale ? "old" : ""}`} aria-labelledby="st-rp">
    <header>
      <h2 id="st-rp">Reply</h2>
      <label class="row small">Status <input class="in n short" type="number" min="100" max="599" value=${reply.status} onInput=${set("status")} /></label>
    </header>
    <div class="pad line">
      <label class="f"
        >Body <span class="why">paste what the provider answered</span>
        <textarea class="in mono" rows="3" spellcheck="false" value=${reply.body} onInput=${set("body")} placeholder=${'{"status": "queued", "id": "3763646c"}'}></textarea>
      </label>
      <details class="small">
        <summary>Headers</summary>
        <label class="f"
          ><span class="vh">Headers of the reply, one a line</span>
          <textarea class="in mono" rows="2" spellcheck="false" value=${reply.headers} onInput=${set("headers")} placeholder="Retry-After: 30"></textarea>
        </label>
      </details>
    </div>
    ${trouble ? html`<div class="pad"><${Message} trouble=${trouble} /></div>` : null}
    ${
      answered
        ? html`<table class="out">
              <thead>
                <tr>
                  <th scope="col">Message</th>
                  <th scope="col">Means</th>
                  <th scope="col">Decided by</th>
                </tr>
              </thead>
              <tbody>
                ${grouped(answered.messages).map(
                  (row) =>
                    html`<tr>
                      <td class="mono">${row.names.slice(0, 3).join(", ")}${row.names.length > 3 ? ` and ${row.names.length - 3} more` : ""}</td>
                      <td><${State} kind=${KINDS[row.then]}>${WORDS[row.then] || row.then}<//>${details(row)}</td>
                      <td><code>${row.rule}</code></td>
                    </tr>`,
                )}
                ${answered.absent.map(
                  (each) =>
                    html`<tr class="dim">
                      <td class="mono">${each.message}</td>
                      <td>not in it</td>
                      <td>${each.reason}</td>
                    </tr>`,
                )}
              </tbody>
            </table>
            <div class="pad note">
              <${Considered} considered=${answered.considered} />${answered.failed.map((each) => html`<div class="warn"><${Sentence} text=${each} /></div>`)}
            </div>
            ${
              answered.proposals.length
                ? html`<div class="pad row top">
                    <span class="note">Make a rule of this reply:</span>${answered.proposals.map(
                      (each, choice) =>
                        html` <button type="button" class="btn s" title=${each.rule} disabled=${stale} onClick=${() => onRule(choice)}>
                          <span><${Sentence} text=${each.about} /></span>
                        </button>`,
                    )}
                  </div>`
                : null
            }`
        : html`<p class="pad note">What a reply means is shown once the definition is whole.</p>`
    }
  </section>`
}
