// Small parts of Studio: icons with words, segmented choices, values that are marked as shared or per message.
import { html } from "../vendor/preact.js"

const PATHS = {
  ok: "M2.5 8.5 6 12l7.5-8",
  warn: "M8 2.5 14 13H2zM8 6.5v3M8 11.2v.1",
  todo: "M8 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8",
  bad: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2M6 6l4 4M10 6l-4 4",
  odd: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2M6.4 6.4a1.6 1.6 0 1 1 2.4 1.4c-.5.3-.8.6-.8 1.2M8 11v.1",
  run: "M5 3.5v9l7-4.5z",
}

export const Icon = ({ name }) => html`<svg class="i" viewBox="0 0 16 16" aria-hidden="true"><path d=${PATHS[name]} /></svg>`

/** A state that is told by word, icon and colour. */
export const State = ({ kind, children }) => html`<span class=${`st ${kind}`}><${Icon} name=${kind} />${children}</span>`

/** One of several: radio buttons that look like one control. */
export function Choice({ label, name, options, value, onChange }) {
  return html`<fieldset class="seg">
    <legend class="vh">${label}</legend>
    ${options.map(
      ([key, text]) =>
        html` <label key=${key}><input type="radio" name=${name} value=${key} checked=${value === key} onChange=${() => onChange(key)} /><span>${text}</span></label>`,
    )}
  </fieldset>`
}

/** A text whose `segments` are marked: solid line for what a whole request shares, dotted for each message's own. */
export function Marked({ text, segments }) {
  const parts = []
  let at = 0
  for (const each of segments) {
    if (each.start < at) continue
    parts.push(text.slice(at, each.start))
    const about = `${each.name}: ${each.shared ? "same for the whole request" : "of this message"}`
    parts.push(html`<mark class=${each.shared ? "sh" : "ow"} title=${about}>${text.slice(each.start, each.end) || "∅"}</mark>`)
    at = each.end
  }
  return html`${parts}${text.slice(at)}`
}

/** `code` between backticks, everything else as it is. */
export const Sentence = ({ text }) => html`${text.split("`").map((part, index) => (index % 2 ? html`<code>${part}</code>` : part))}`

/** Problems with their places; a click goes there. */
export function Problems({ errors, warnings, onGo }) {
  const rows = [...errors.map((each) => ["bad", "Error", each]), ...warnings.map((each) => ["warn", "Warning", each])]
  if (!rows.length) return null
  return html`<ul class="problems" aria-label="Problems">
    ${rows.map(
      ([kind, word, each]) =>
        html` <li>
          <span class=${kind}><${Icon} name=${kind} /><span class="vh">${word}</span></span
          ><span>
            ${each.line && each.here !== false ? html`<button type="button" class="link n" onClick=${() => onGo(each)}>${each.line}:${each.column}</button> ` : null}
            <${Sentence} text=${each.message} />${each.remedy ? html`. <span class="dim"><${Sentence} text=${each.remedy} /></span>` : null}</span
          >
        </li>`,
    )}
  </ul>`
}

export const Message = ({ trouble }) =>
  trouble
    ? html`<div class="note bad" role="alert">
        <${Sentence} text=${trouble.message} />${(trouble.problems || []).map(
          (each) =>
            html` <div>
              ${each.line ? `${each.line}:${each.column} ` : ""}<${Sentence} text=${each.message} />${each.remedy ? html`. <${Sentence} text=${each.remedy} />` : null}
            </div>`,
        )}
      </div>`
    : null

export const count = (number, one, many = `${one}s`) => `${new Intl.NumberFormat().format(number)} ${number === 1 ? one : many}`
