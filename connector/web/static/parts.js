/** What several pages are made of. */

import { base } from "./api.js"
import { Icon } from "./icons.js"
import { filter, isNumber } from "./place.js"
import { ago, clock, exact, foreign, second } from "./say.js"
import { html, useEffect, useId, useRef, useState } from "./vendor/preact.js"

/** A state, told by word, icon and colour: colour is never alone. */
export function Sign({ icon, tone = icon, children }) {
  return html`<span class="state ${TONES[tone] ?? "soft"}"><${Icon} name=${icon} />${children}</span>`
}

export const TONES = { good: "good", bad: "bad-text", warn: "warn-text", odd: "odd-text" }

/** State of a provider → icon, tone, word. */
const STATES = {
  sending: ["good", "good", "sending"],
  open: ["bad", "bad", "refuses"],
  probing: ["probe", "warn", "is tried again"],
  paused: ["pause", "warn", "paused"],
  closed: ["clock", "soft", "outside hours"],
  unused: ["none", "soft", "unused"],
}

/** Status of a result → icon, tone. */
const OUTCOMES = { accepted: ["good"], rejected: ["bad"], failed: ["bad"], invalid: ["bad"], unknown: ["odd"], expired: ["clock", "warn"] }

export function Outcome({ word }) {
  const [icon, tone] = OUTCOMES[word] ?? ["none"]
  return html`<${Sign} icon=${icon} tone=${tone}>${foreign(word, 32)}<//>`
}

export function State({ word }) {
  const [icon, tone, said] = STATES[word] ?? ["none", "soft", word]
  return html`<${Sign} icon=${icon} tone=${tone}>${said}<//>`
}

/** `code` between backticks, everything else as it is. */
export const Sentence = ({ text }) => html`${String(text).split("`").map((part, index) => (index % 2 ? html`<code>${part}</code>` : part))}`

/** A link to a page of ours; `to` as in `providers/plivo`. */
export function Link({ to, children, ...rest }) {
  return html`<a href=${new URL(to, base).href} ...${rest}>${children}</a>`
}

export function Card({ title, end, children, ...rest }) {
  const id = useId()
  return html`<section class="card" aria-labelledby=${title ? id : undefined} ...${rest}>
    ${title && html`<header><h2 id=${id}>${title}</h2>${end}</header>`}${children}
  </section>`
}

/** `code`, `code`, `code`. */
export const Codes = ({ names }) => html`${names.map((name, index) => html`${index ? ", " : ""}<code>${name}</code>`)}`

/** An instant: its time of day (with seconds if `precise`), or how long ago; all of it in the title. */
export function Time({ at, since = false, precise = false }) {
  if (!at) return "–"
  return html`<time datetime=${at} title=${exact(at)}>${since ? ago(at) : precise ? second(at) : clock(at)}</time>`
}

export function Empty({ title, children }) {
  return html`<div class="empty"><strong>${title}</strong>${children}</div>`
}

function Banner({ bad = false, children }) {
  return html`<div class="banner ${bad ? "bad" : ""}" role="status"><span class=${bad ? "bad-text" : "warn-text"}><${Icon} name=${bad ? "bad" : "warn"} /></span><div>${children}</div></div>`
}

/** Whether Kafka takes a change at the moment. */
export const away = (data) => data?.kafka?.reachable === false

/** What is in the way of figures that are right: no answer, Kafka away, silent workers. */
export function Doubts({ look }) {
  const { data, error } = look
  const kafka = data?.kafka
  return html`
    ${error && error.status !== 401 && html`<${Banner} bad><strong>The console does not answer as it should: ${foreign(error.message, 200)}.</strong> ${data && html` What you see is of ${clock(new Date(look.at).toISOString())}.`}<//>`}
    ${away(data) && html`<${Banner} bad><strong>Kafka does not answer${kafka.away_since && html` since <${Time} at=${kafka.away_since} />`}.</strong> Figures are of <${Time} at=${kafka.as_of} />; nothing can be changed meanwhile.<//>`}
    ${(data?.stale ?? []).filter((it) => it.what !== "kafka").map((it) => html`<${Banner} key=${it.name}>${foreign(it.sentence, 300)}${it.as_of && html` Its last figures are of <${Time} at=${it.as_of} />.`}<//>`)}
  `
}

/** A part of a whole, as a bar beside its words. */
export function Bar({ part, whole }) {
  const width = whole > 0 ? Math.min(100, (100 * part) / whole) : 0
  return html`<span class="bar" aria-hidden="true"><i style=${{ inlineSize: `${width}%` }} /></span>`
}

/** One of a few, as buttons side by side. */
export function Choice({ label, options, value, onChoose }) {
  return html`<div class="choice" role="group" aria-label=${label}>
    ${options.map(([key, text]) => html`<button key=${key} type="button" aria-pressed=${String(key === value)} onClick=${() => onChoose(key)}>${text}</button>`)}
  </div>`
}

/**
 * A table. On a narrow screen each row is a card whose cells say what they are.
 * `minor` columns are left out there, and what is not known. `long` ones hold words that may be broken anywhere, `short` ones
 * words that are not broken at all.
 * @param {{caption: string, columns: {key: string, title: string, number?: boolean, minor?: boolean, long?: boolean, short?: boolean}[], rows: any[], cell: Function, keyOf: Function}} props
 */
export function Table({ caption, columns, rows, cell, keyOf }) {
  return html`<div class="scroll" role="group" aria-label=${caption} tabindex="0"><table class="cards">
    <caption class="hear">${caption}</caption>
    <thead><tr>${columns.map((it) => html`<th key=${it.key} scope="col" class=${kind(it)}>${it.title}</th>`)}</tr></thead>
    <tbody>${rows.map((row) => html`<tr key=${keyOf(row)}>${columns.map((it, index) => {
      const content = cell(row, it.key)
      return index === 0
        ? html`<th key=${it.key} scope="row">${content}</th>`
        : html`<td key=${it.key} class=${kind(it, content)} data-label=${it.title}><span>${content}</span></td>`
    })}</tr>`)}</tbody>
  </table></div>`
}

const kind = (it, content) => [it.number && "number", it.minor && "minor", it.long && "long", it.short && "short", content === "–" && "blank"].filter(Boolean).join(" ")

/**
 * One filter of a page, kept in the address: it holds once it is entered or left, or chosen of `options`.
 * `first`: the key `/` goes to it.
 */
export function Filter({ label, name, query, options, suggestions = [], first = false }) {
  const held = query.get(name) ?? ""
  const [text, setText] = useState(held)
  const [refused, setRefused] = useState(false)
  const list = useId()
  useEffect(() => setText(held), [held])
  if (options) return html`<label>${label}<select value=${held} data-find=${first} onChange=${(event) => filter(name, event.target.value)}><option value="">all</option>${options.map((it) => html`<option key=${it}>${it}</option>`)}</select></label>`
  function hold(value) {
    setRefused(isNumber(value))
    if (!isNumber(value)) filter(name, value.trim().slice(0, 128))
  }
  function typed(event) {
    setText(event.target.value)
    if (!event.target.value) hold("")
  }
  return html`<label>${label}<input type="search" value=${text} data-find=${first} list=${suggestions.length ? list : undefined} autocomplete="off" spellcheck="false" aria-invalid=${refused ? "true" : undefined} onInput=${typed} onChange=${(event) => hold(event.target.value)} />
    ${suggestions.length > 0 && html`<datalist id=${list}>${suggestions.map((it) => html`<option key=${it} value=${it} />`)}</datalist>`}
    ${refused && html`<small class="bad-text" role="alert">No phone numbers: addresses of pages are kept in logs.</small>`}</label>`
}

/** A dialog that asks; closes with Escape, and gives the focus back to where it was. */
export function Ask({ title, submit, onSubmit, onClose, children }) {
  const dialog = useRef(null)
  const id = useId()
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState("")
  useEffect(() => {
    dialog.current.showModal()
    return () => dialog.current?.close()
  }, [])
  async function send(event) {
    event.preventDefault()
    setBusy(true)
    setError("")
    try {
      await onSubmit(new FormData(event.target))
      onClose()
    } catch (problem) {
      setError(problem.message)
      setBusy(false)
    }
  }
  return html`<dialog ref=${dialog} aria-labelledby=${id} onClose=${onClose}>
    <form onSubmit=${send}>
      <h2 id=${id}>${title}</h2>
      ${children}
      ${error && html`<p class="bad-text" role="alert">${foreign(error, 400)}</p>`}
      <div class="row"><button type="button" onClick=${() => dialog.current.close()}>Leave it</button><button class="first" disabled=${busy}>${submit}</button></div>
    </form>
  </dialog>`
}

/** A dialog that only tells something. */
export function Tell({ title, onClose, children }) {
  const dialog = useRef(null)
  const id = useId()
  useEffect(() => {
    dialog.current.showModal()
  }, [])
  return html`<dialog ref=${dialog} aria-labelledby=${id} onClose=${onClose}>
    <form method="dialog"><h2 id=${id}>${title}</h2>${children}<div class="row"><button class="first">Close</button></div></form>
  </dialog>`
}
