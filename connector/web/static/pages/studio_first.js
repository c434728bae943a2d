// The first real message: to a number of the settings, through a worker, with the definition that workers use.
import { html, useState } from "../vendor/preact.js"
import { Trouble, stream, visible } from "./studio_api.js"
import { Message, State } from "./studio_parts.js"

const KINDS = { accepted: "ok", unknown: "odd", rejected: "bad", failed: "bad", invalid: "bad" }

export function FirstMessage({ facts, name, event, saved, text, first, onFirst }) {
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
      await stream("studio/test", { provider: name, number, reason, event }, (kind, data) => {
        if (kind === "written") onFirst({ of: text, place: (place = data), end: null })
        if (kind === "result") onFirst({ of: text, place, end: data })
        if (kind === "problem") setTrouble(new Trouble(data.title))
      })
    } catch (error) {
      onFirst(null)
      setTrouble(error)
    } finally {
      setBusy(false)
    }
  }
  const end = first?.end
  return html`<section class="panel" aria-labelledby="st-first">
    <header>
      <h2 id="st-first">First message</h2>
      <span class="note">one real SMS, with the definition that workers use</span>
    </header>
    <div class="pad row line">
      <label class="f"
        >To<select class="in" value=${number} onChange=${(it) => setNumber(Number(it.target.value))}>
          ${facts.test_numbers.map((each, index) => html`<option value=${index}>${each}</option>`)}
        </select></label
      >
      <label class="f grow"
        >Why <span class="why">for the audit log</span><input class="in" value=${reason} minlength="3" maxlength="200" onInput=${(it) => setReason(it.target.value)}
      /></label>
      <button type="button" class="btn main" disabled=${busy || !same || reason.trim().length < 3} onClick=${send}>Send it</button>
    </div>
    ${same ? null : html`<p class="pad note">Save the text first: workers know only what is saved.</p>`}
    <div class="pad" aria-live="polite">
      ${first?.place ? html`<p class="note">Written to <code>${first.place.topic}/${first.place.partition}/${first.place.offset}</code>.${end ? "" : " Waiting for its result …"}</p>` : null}
      ${end ? html`<p><${State} kind=${end.status ? KINDS[end.status] || "warn" : "warn"}>${end.status || "no result within a minute"}<//> <span class="note">${[end.code, end.reason, end.provider_message_id].filter(Boolean).map(visible).join(", ")}</span></p>` : null}
      <${Message} trouble=${trouble} />
    </div>
  </section>`
}
