// The requests that the events would become: what is shared, what is each message's, and why messages go apart.
import { Card, Choice, Sentence } from "../parts.js"
import { count, foreign, visible } from "../say.js"
import { html, useState } from "../vendor/preact.js"
import { Marked, Trouble } from "./studio_parts.js"

/** Events as a person may write them: an array, one object, or an object per line. */
export function readEvents(text) {
  const whole = text.trim()
  if (!whole) return { events: [], fault: "Write at least one event." }
  try {
    const value = JSON.parse(whole)
    return { events: Array.isArray(value) ? value : [value], fault: "" }
  } catch (error) {
    const lines = whole.split("\n").filter((line) => line.trim())
    try {
      return { events: lines.map((line) => JSON.parse(line)), fault: "" }
    } catch {
      return { events: null, fault: `The events are no JSON: ${error.message}` }
    }
  }
}

const SYSTEM = new Set(["To", "Body", "TemplateID", "TemplateVariables", "CampaignID", "MessageID"])

/** Three events that bring what the definition reads; the third has another value of what requests share. */
export function sampleEvents(uses) {
  const shared = new Set(uses.filter((use) => use.shared).flatMap((use) => use.names)),
    names = new Set(uses.flatMap((use) => use.names))
  const people = ["Asha", "Ravi", "Meera"]
  const apart = [...shared].filter((name) => !SYSTEM.has(name))[0]
  return JSON.stringify(
    people.map((person, index) => {
      const event = { message_id: `m${index + 1}`, to: `+91981234567${index + 1}`, campaign_id: "diwali" }
      if (names.has("Body")) event.body = `Hello ${person}`
      if (names.has("TemplateID")) event.template_id = "1107"
      if (names.has("TemplateVariables")) event.template_variables = { name: person }
      const custom = {}
      for (const name of names) {
        if (SYSTEM.has(name)) continue
        custom[name] = shared.has(name) ? (name === apart && index === 2 ? "ANOTHER" : "ACME") : /name/i.test(name) ? person : `${name}-${index + 1}`
      }
      if (Object.keys(custom).length) event.custom = custom
      return event
    }),
    null,
    1,
  )
    .replace(/\n\s{2,}/g, " ")
    .replace(/\n\s*}/g, " }")
}

function Shares({ shares }) {
  if (!shares.length) return null
  const names = shares.map((name) => html`<code class="shared">${name}</code>`)
  const listed = names.flatMap((each, index) => (index ? [index === names.length - 1 ? " and " : ", ", each] : [each]))
  return html`Messages share a request when the campaign, ${listed} are equal. `
}

const FORMS = [["http", "HTTP"], ["curl", "curl"]]
const MOST_SHOWN = 8

export function RequestPanel({ rendered, trouble, stale, events, fault, form, onForm, onEvents }) {
  const [at, setAt] = useState(0)
  const [editing, setEditing] = useState(false)
  const requests = rendered ? rendered.requests : []
  const index = Math.min(at, Math.max(0, requests.length - 1))
  const shown = requests[index]
  const clear = shown && visible(shown.text) === shown.text // places of values are those of the text as it is sent
  const choices = requests.slice(0, MOST_SHOWN).map((request, number) => [number, `${number + 1} · ${count(request.messages.length, "message")}`])
  return html`<${Card} class=${stale ? "card old" : "card"} aria-busy=${stale} title="Request" end=${html`<div class="row">
      ${requests.length > 1 && html`<${Choice} label="Which request" value=${index} onChoose=${setAt} options=${choices} />`}
      <${Choice} label="Shown as" value=${form} onChoose=${onForm} options=${FORMS} /></div>`}>
    <div class="body stack edge-end">
      ${(stale || rendered?.shares.length > 0 || shown?.apart) && html`<p class="soft">${stale && html`<strong>The text is wrong: this is the last good preview.</strong> `}${rendered && html`<${Shares} shares=${rendered.shares} />`}
        ${shown?.apart && html`<${Sentence} text=${foreign(shown.apart, 400)} /> `}</p>`}
      <div class="apart"><span class="row"><span class="shared">same for a whole request</span><span class="own">of each message</span></span>
        <button type="button" class="plain" aria-expanded=${String(editing)} onClick=${() => setEditing(!editing)}>${editing ? "Done with the events" : "Edit the events"}</button></div>
    </div>
    ${editing && html`<div class="body edge-end"><label class="field">Events <small>JSON, as services produce them: an array, or one per line</small>
      <textarea class="mono" rows="8" spellcheck="false" value=${events} onInput=${(event) => onEvents(event.target.value)} aria-invalid=${String(Boolean(fault))}></textarea></label></div>`}
    ${fault && html`<div class="body bad-text" role="alert">${fault}</div>`}
    ${trouble && html`<div class="body"><${Trouble} trouble=${trouble} /></div>`}
    ${shown ? html`<pre class="req" tabindex="0" role="group" aria-label="The request as it would be sent"><${Marked} text=${visible(shown.text)} segments=${clear ? shown.segments : []} />${shown.cut && "\n…"}</pre>` : html`<p class="body soft">${rendered ? "No event becomes a request." : "The request is shown once the definition is whole."}</p>`}
    ${shown?.note && html`<p class="body soft"><${Sentence} text=${shown.note} /></p>`}
    ${rendered?.more > 0 && html`<p class="body soft">and ${count(rendered.more, "more request")}</p>`}
    ${rendered?.invalid.length > 0 && html`<ul class="problems" aria-label="Events that cannot be sent">
      ${rendered.invalid.map((each) => html`<li><span class="bad-text">invalid</span><span><code>${foreign(each.message, 64)}</code> <${Sentence} text=${foreign(each.reason, 300)} /></span></li>`)}</ul>`}<//>`
}
