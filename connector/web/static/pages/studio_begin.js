// Where a definition begins: a curl command of the provider's documentation, or one of the catalogue.
import { ask, post } from "../api.js"
import { Card, Sentence } from "../parts.js"
import { visible } from "../say.js"
import { html, useEffect, useState } from "../vendor/preact.js"
import { Trouble } from "./studio_parts.js"

const EXAMPLE = `curl https://api.example.com/v1/send \\
  -H 'Authorization: Bearer YOUR_TOKEN' -H 'Content-Type: application/json' \\
  -d '{"messages": [{"to": "+919812345678", "text": "Hello"}]}'`

const Notes = ({ title, lines, tone = "" }) =>
  lines.length > 0 &&
  html`<div><h3>${title}</h3>
    <ul class="whys ${tone}">${lines.map((line) => html`<li><${Sentence} text=${visible(line)} /></li>`)}</ul></div>`

export function CurlView({ command, onCommand, onDraft, onOpen }) {
  const [draft, setDraft] = useState(null)
  const [trouble, setTrouble] = useState(null)
  const [busy, setBusy] = useState(false)
  const make = async () => {
    setBusy(true)
    try {
      setDraft((await post("api/studio/import", { command })).draft)
      setTrouble(null)
    } catch (error) {
      setTrouble(error)
      setDraft(null)
    } finally {
      setBusy(false)
    }
  }
  return html`<${Card} title="From curl" end=${html`<small>as the provider's documentation shows it</small>`}>
    <div class="body stack">
      <label class="field">Command<textarea class="mono" rows="7" spellcheck="false" value=${command} placeholder=${EXAMPLE} onInput=${(event) => onCommand(event.target.value)}></textarea></label>
      <div class="row">
        <button type="button" class=${draft ? "" : "first"} disabled=${!command.trim() || busy} onClick=${make}>Read it</button>
        ${!command && html`<button type="button" class="plain" onClick=${() => onCommand(EXAMPLE)}>Try an example</button>`}
      </div>
      <${Trouble} trouble=${trouble} />
      ${draft && html`<div role="status" class="stack">
        ${draft.known.length > 0 && html`<p class="warn-text">There is a finished definition of this provider that knows what its replies mean: ${draft.known.map((name) => html`<button type="button" class="small" onClick=${() => onOpen(name)}>begin with ${name}</button> `)}</p>`}
        <${Notes} title="Guessed" lines=${draft.guessed} />
        <${Notes} title="To look at" lines=${draft.open} tone="warn-text" />
        <${Notes} title="Kept as it is, and sent with every message" lines=${draft.kept} />
        <${Notes} title="Set in the environment" lines=${draft.secrets} />
        <div class="row"><button type="button" class="first" onClick=${() => onDraft(draft)}>Go on with ${draft.name}</button></div>
      </div>`}
    </div><//>`
}

export function CatalogueView({ saved, onBegin, onSaved }) {
  const [shipped, setShipped] = useState(null)
  const [trouble, setTrouble] = useState(null)
  const [sought, setSought] = useState("")
  useEffect(() => {
    ask("api/catalogue").then((answer) => setShipped(answer.value.definitions), setTrouble)
  }, [])
  const found = (shipped ?? []).filter((each) => `${each.name} ${each.title}`.toLowerCase().includes(sought.toLowerCase()))
  return html`<${Card} title="Catalogue" end=${html`<label class="row"><span class="hear">Find in the catalogue</span><input type="search" data-find="true" placeholder="Find" value=${sought} onInput=${(event) => setSought(event.target.value)} /></label>`}>
    ${saved.length > 0 && html`<div class="body stack edge-end"><h3>Yours</h3><div class="row">${saved.map((each) => html`<button type="button" class="small" onClick=${() => onSaved(each.name)}>${each.name}</button>`)}</div></div>`}
    <${Trouble} trouble=${trouble} />
    ${shipped
      ? html`<ul class="shipped">${found.map((each) => html`<li key=${each.name}>
          <div><strong>${each.title}</strong> <code>${each.name}</code>${each.fake && html` <span class="tag">can be simulated</span>`}
            ${each.about.limits && html`<small>${[].concat(each.about.limits).join("; ")}</small>`}</div>
          <span class="row"><button type="button" class="small" onClick=${() => onBegin(each.name, `extends: ${each.name}\n`)}>Extend <span class="hear">${each.name}</span></button>
            <button type="button" class="small" onClick=${() => onBegin(each.name, each.text)}>Copy <span class="hear">${each.name}</span></button></span></li>`)}</ul>
        ${!found.length && html`<p class="empty">Nothing is called so.</p>`}`
      : !trouble && html`<p class="body soft" role="status">Reading the catalogue …</p>`}<//>`
}
