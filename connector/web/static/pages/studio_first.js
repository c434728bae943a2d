// The first real message: to a number of the settings, through a worker, with the definition that workers use.
import { ProblemError, stream } from "../api.js"
import { Card, Outcome, Sign } from "../parts.js"
import { foreign } from "../say.js"
import { html, useState } from "../vendor/preact.js"
import { Trouble } from "./studio_parts.js"

// Until the text is checked nobody knows what its events have to bring: `able`.
export function FirstMessage({ facts, name, event, able, saved, text, first, onFirst }) {
  const [number, setNumber] = useState(0)
  const [reason, setReason] = useState("first message")
  const [busy, setBusy] = useState(false)
  const [trouble, setTrouble] = useState(null)
  const same = saved && saved.text === text
  const send = async () => {
    setBusy(true)
    setTrouble(null)
    onFirst({ of: text, place: null, end: null })
    try {
      let place = null
      await stream("api/studio/test", { provider: name, number, reason, event }, (kind, data) => {
        if (kind === "written") onFirst({ of: text, place: (place = data), end: null })
        if (kind === "result") onFirst({ of: text, place, end: data })
        if (kind === "problem") setTrouble(new ProblemError(data.title))
      })
    } catch (error) {
      onFirst(null)
      setTrouble(error)
    } finally {
      setBusy(false)
    }
  }
  const end = first?.end
  return html`<${Card} title="First message" end=${html`<small>one real SMS, with the definition that workers use</small>`}>
    <div class="body row edge-end">
      <label class="field">To<select value=${number} onChange=${(it) => setNumber(Number(it.target.value))}>
        ${facts.test_numbers.map((each, index) => html`<option value=${index}>${each}</option>`)}
      </select></label>
      <label class="field grow">Why <small>for the audit log</small><input value=${reason} minlength="3" maxlength="200" onInput=${(it) => setReason(it.target.value)} /></label>
      <button type="button" class="first" disabled=${busy || !able || !same || reason.trim().length < 3} onClick=${send}>Send it</button>
    </div>
    ${!same && html`<p class="body soft">Save the text first: workers know only what is saved.</p>`}
    <div class="body stack" aria-live="polite">
      ${first?.place && html`<p class="soft">Written to <code>${first.place.topic}/${first.place.partition}/${first.place.offset}</code>.${end ? "" : " Waiting for its result …"}</p>`}
      ${end && html`<p>${end.status ? html`<${Outcome} word=${end.status} />` : html`<${Sign} icon="warn">no result within a minute<//>`} <span class="soft">${[end.code, end.reason, end.provider_message_id].filter(Boolean).map((it) => foreign(it, 200)).join(", ")}</span></p>`}
      <${Trouble} trouble=${trouble} />
    </div><//>`
}
