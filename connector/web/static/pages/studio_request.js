// The requests that the events would become: what is shared, what is each message's, and why messages go apart.
import { html, useState } from "../vendor/preact.js"
import { Choice, Marked, Message, Sentence, count } from "./studio_parts.js"
import { visible } from "./studio_api.js"

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
  const names = shares.map((name) => html`<code class="sh">${name}</code>`)
  const listed = names.flatMap((each, index) => (index ? [index === names.length - 1 ? " and " : ", ", each] : [each]))
  return html`Messages share a request when the campaign, ${listed} are equal. `
}

export function RequestPanel({ rendered, trouble, stale, events, fault, form, onForm, onEvents }) {
  const [at, setAt] = useState(0),
    [editing, setEditing] = useState(false)
  const requests = rendered ? rendered.requests : []
  const index = Math.min(at, Math.max(0, requests.length - 1)),
    shown = requests[index]
  return html`<section class=${`panel ${stale ? "old" : ""}`} aria-labelledby="st-rq" aria-busy=${stale}>
    <header>
      <h2 id="st-rq">Request</h2>
      ${
        requests.length > 1
          ? html`<${Choice}
              label="Which request"
              name="st-which"
              value=${String(index)}
              onChange=${(key) => setAt(Number(key))}
              options=${requests.slice(0, 8).map((request, number) => [String(number), `${number + 1} · ${count(request.messages.length, "message")}`])}
            />`
          : null
      }
      <${Choice}
        label="Shown as"
        name="st-as"
        value=${form}
        onChange=${onForm}
        options=${[
          ["http", "HTTP"],
          ["curl", "curl"],
        ]}
      />
    </header>
    <div class="pad note line">
      ${stale ? html`<strong>The text is wrong: this is the last good preview.</strong> ` : null} ${rendered ? html`<${Shares} shares=${rendered.shares} />` : null}
      ${shown && shown.apart ? html`<${Sentence} text=${shown.apart} /> ` : null}
      <button type="button" class="link" aria-expanded=${editing} onClick=${() => setEditing(!editing)}>${editing ? "Done with the events" : "Edit the events"}</button>
      <span class="keys"><span class="key sh">same for a whole request</span><span class="key ow">of each message</span></span>
    </div>
    ${
      editing
        ? html`<label class="f pad line"
            >Events <span class="why">JSON, as services produce them: an array, or one per line</span>
            <textarea class="in mono" rows="8" spellcheck="false" value=${events} onInput=${(event) => onEvents(event.target.value)} aria-invalid=${Boolean(fault)}></textarea>
          </label>`
        : null
    }
    ${fault ? html`<div class="pad bad" role="alert">${fault}</div>` : null} ${trouble ? html`<div class="pad"><${Message} trouble=${trouble} /></div>` : null}
    ${shown ? html`<pre class="req" tabindex="0" role="region" aria-label="The request as it would be sent"><${Marked} text=${visible(shown.text) === shown.text ? shown.text : visible(shown.text)} segments=${visible(shown.text) === shown.text ? shown.segments : []} />${shown.cut ? "\n…" : ""}</pre>` : html`<p class="pad note">${rendered ? "No event becomes a request." : "The request is shown once the definition is whole."}</p>`}
    ${shown && shown.note ? html`<p class="pad note">${html`<${Sentence} text=${shown.note} />`}</p>` : null}
    ${rendered && rendered.more ? html`<p class="pad note">and ${count(rendered.more, "more request")}</p>` : null}
    ${
      rendered && rendered.invalid.length
        ? html`<ul class="problems" aria-label="Events that cannot be sent">
            ${rendered.invalid.map(
              (each) =>
                html`<li>
                  <span class="bad">invalid</span><span><code>${each.message}</code> <${Sentence} text=${each.reason} /></span>
                </li>`,
            )}
          </ul>`
        : null
    }
  </section>`
}
