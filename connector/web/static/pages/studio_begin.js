// Where a definition begins: a curl command of the provider's documentation, or one of the catalogue.
import { html, useEffect, useState } from "../vendor/preact.js"
import { ask, post } from "./studio_api.js"
import { Message } from "./studio_parts.js"

const EXAMPLE = `curl https://api.example.com/v1/send \\
  -H 'Authorization: Bearer YOUR_TOKEN' -H 'Content-Type: application/json' \\
  -d '{"messages": [{"to": "+919812345678", "text": "Hello"}]}'`

function Notes({ title, lines, kind = "" }) {
  return lines.length
    ? html`<h3>${title}</h3>
        <ul class=${`whys ${kind}`}>
          ${lines.map((line) => html`<li>${line}</li>`)}
        </ul>`
    : null
}

export function CurlView({ command, onCommand, onDraft, onOpen }) {
  const [draft, setDraft] = useState(null),
    [trouble, setTrouble] = useState(null),
    [busy, setBusy] = useState(false)
  const make = async () => {
    setBusy(true)
    try {
      setDraft((await post("studio/import", { command })).draft)
      setTrouble(null)
    } catch (error) {
      setTrouble(error)
      setDraft(null)
    } finally {
      setBusy(false)
    }
  }
  return html`<section class="panel" aria-labelledby="st-curl">
    <header>
      <h2 id="st-curl">From curl</h2>
      <span class="note">as the provider's documentation shows it</span>
    </header>
    <div class="pad stack">
      <label class="f"
        >Command <textarea class="in mono" rows="7" spellcheck="false" value=${command} placeholder=${EXAMPLE} onInput=${(event) => onCommand(event.target.value)}></textarea>
      </label>
      <div class="row"><button type="button" class="btn main" disabled=${!command.trim() || busy} onClick=${make}>Read it</button></div>
      <${Message} trouble=${trouble} />
      ${
        draft
          ? html`<div role="status">
              ${draft.known.length ? html`<p class="note warn">There is a finished definition of this provider that knows what its replies mean: ${draft.known.map((name) => html`<button type="button" class="btn s" onClick=${() => onOpen(name)}>begin with ${name}</button> `)}</p>` : null}
              <${Notes} title="Guessed" lines=${draft.guessed} /><${Notes} title="To look at" lines=${draft.open} kind="warn" /><${Notes}
                title="Kept as it is, and sent with every message"
                lines=${draft.kept}
              />
              <${Notes} title="Set in the environment" lines=${draft.secrets} />
              <div class="row top"><button type="button" class="btn main" onClick=${() => onDraft(draft)}>Go on with ${draft.name}</button></div>
            </div>`
          : null
      }
    </div>
  </section>`
}

export function CatalogueView({ saved, onBegin, onSaved }) {
  const [shipped, setShipped] = useState(null),
    [trouble, setTrouble] = useState(null),
    [sought, setSought] = useState("")
  useEffect(() => {
    ask("catalogue").then((answer) => setShipped(answer.value.definitions), setTrouble)
  }, [])
  const found = (shipped || []).filter((each) => `${each.name} ${each.title}`.toLowerCase().includes(sought.toLowerCase()))
  return html`<section class="panel" aria-labelledby="st-cat">
    <header>
      <h2 id="st-cat">Catalogue</h2>
      <label class="row small"
        ><span class="vh">Find in the catalogue</span> <input class="in" type="search" placeholder="Find" value=${sought} onInput=${(event) => setSought(event.target.value)}
      /></label>
    </header>
    ${
      saved.length
        ? html`<div class="pad line">
            <h3>Yours</h3>
            <div class="row wrap">${saved.map((each) => html`<button type="button" class="btn s" onClick=${() => onSaved(each.name)}>${each.name}</button>`)}</div>
          </div>`
        : null
    }
    <${Message} trouble=${trouble} />
    ${
      shipped
        ? html`<ul class="shipped">
            ${found.map(
              (each) =>
                html`<li key=${each.name}>
                  <div>
                    <strong>${each.title}</strong> <code>${each.name}</code>${each.fake ? html` <span class="tag">can be simulated</span>` : null}
                    ${each.about.limits ? html`<div class="note">${[].concat(each.about.limits).join("; ")}</div>` : null}
                  </div>
                  <span class="row"
                    ><button type="button" class="btn s" onClick=${() => onBegin(each.name, `extends: ${each.name}\n`)}>Extend <span class="vh">${each.name}</span></button>
                    <button type="button" class="btn s" onClick=${() => onBegin(each.name, each.text)}>Copy <span class="vh">${each.name}</span></button></span
                  >
                </li>`,
            )}
          </ul>`
        : html`<p class="pad note">Reading the catalogue…</p>`
    }
  </section>`
}
