/** What several pages are made of. */

import { base } from "./api.js"
import { Icon } from "./icons.js"
import { ago, clock, exact, foreign, second } from "./say.js"
import { html, useEffect, useId, useRef, useState } from "./vendor/preact.js"

/** The words of a provider's states; colour is never alone. */
export const STATES = {
  sending: { word: "sending", icon: "good", tone: "good" },
  open: { word: "refuses", icon: "bad", tone: "bad-text" },
  probing: { word: "is tried again", icon: "probe", tone: "warn-text" },
  paused: { word: "paused", icon: "pause", tone: "warn-text" },
  closed: { word: "outside hours", icon: "clock", tone: "soft" },
  unused: { word: "unused", icon: "none", tone: "soft" },
}

/** The words of a result's status. */
const OUTCOMES = { accepted: ["good", "good"], rejected: ["bad", "bad-text"], failed: ["bad", "bad-text"], invalid: ["bad", "bad-text"], unknown: ["odd", "odd-text"], expired: ["clock", "warn-text"] }

export function Outcome({ word }) {
  const [icon, tone] = OUTCOMES[word] ?? ["none", "soft"]
  return html`<span class="state ${tone}"><${Icon} name=${icon} />${foreign(word, 32)}</span>`
}

export function State({ word }) {
  const known = STATES[word] ?? { word, icon: "none", tone: "soft" }
  return html`<span class="state ${known.tone}"><${Icon} name=${known.icon} />${known.word}</span>`
}

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

/** An instant: its time of day (with seconds if `precise`), or how long ago; all of it in the title. */
export function Time({ at, since = false, precise = false }) {
  if (!at) return "–"
  return html`<time datetime=${at} title=${exact(at)}>${since ? ago(at) : precise ? second(at) : clock(at)}</time>`
}

export function Empty({ title, children }) {
  return html`<div class="empty"><strong>${title}</strong>${children}</div>`
}

export function Banner({ bad = false, children }) {
  return html`<div class="banner ${bad ? "bad" : ""}" role="status"><span class=${bad ? "bad-text" : "warn-text"}><${Icon} name=${bad ? "bad" : "warn"} /></span><div>${children}</div></div>`
}

/** What is in the way of figures that are right: no answer, Kafka away, silent workers. */
export function Doubts({ look }) {
  const { data, error } = look
  const kafka = data?.kafka
  return html`
    ${error && error.status !== 401 && html`<${Banner} bad><strong>The console does not answer as it should: ${foreign(error.message, 200)}.</strong> ${data && html` What you see is of ${clock(new Date(look.at).toISOString())}.`}<//>`}
    ${kafka && !kafka.reachable && html`<${Banner} bad><strong>Kafka does not answer${kafka.away_since && html` since <${Time} at=${kafka.away_since} />`}.</strong> Figures are of <${Time} at=${kafka.as_of} />; nothing can be changed meanwhile.<//>`}
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
 * `minor` columns are left out there; `long` ones hold words that may be broken anywhere.
 * @param {{caption: string, columns: {key: string, title: string, number?: boolean, minor?: boolean, long?: boolean}[], rows: any[], cell: Function, keyOf: Function}} props
 */
export function Table({ caption, columns, rows, cell, keyOf }) {
  return html`<div class="scroll" role="group" aria-label=${caption} tabindex="0"><table class="cards">
    <caption class="hear">${caption}</caption>
    <thead><tr>${columns.map((it) => html`<th key=${it.key} scope="col" class=${kind(it)}>${it.title}</th>`)}</tr></thead>
    <tbody>${rows.map((row) => html`<tr key=${keyOf(row)}>${columns.map((it, index) => {
      const content = cell(row, it.key)
      return index === 0
        ? html`<th key=${it.key} scope="row">${content}</th>`
        : html`<td key=${it.key} class=${kind(it)} data-label=${it.title}><span>${content}</span></td>`
    })}</tr>`)}</tbody>
  </table></div>`
}

const kind = (it) => [it.number && "number", it.minor && "minor", it.long && "long"].filter(Boolean).join(" ")

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
