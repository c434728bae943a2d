// Parts of Studio alone: values that are marked as shared or per message, and problems with their places.
import { Sentence, Sign } from "../parts.js"
import { html } from "../vendor/preact.js"

/** A text whose `segments` are marked: solid line for what a whole request shares, dotted for each message's own. */
export function Marked({ text, segments }) {
  const parts = []
  let at = 0
  for (const each of segments) {
    if (each.start < at) continue
    parts.push(text.slice(at, each.start))
    const about = `${each.name}: ${each.shared ? "same for the whole request" : "of this message"}`
    parts.push(html`<mark class=${each.shared ? "shared" : "own"} title=${about}>${text.slice(each.start, each.end) || "∅"}</mark>`)
    at = each.end
  }
  return html`${parts}${text.slice(at)}`
}

/** What is wrong, and what to do about it. */
const Remedied = ({ it }) => html`<${Sentence} text=${it.message} />${it.remedy && html`. <span class="soft"><${Sentence} text=${it.remedy} /></span>`}`

/** Problems with their places; a click goes there. */
export function Problems({ errors, warnings, onGo }) {
  const rows = [...errors.map((each) => ["bad", "Error", each]), ...warnings.map((each) => ["warn", "Warning", each])]
  if (!rows.length) return null
  return html`<ul class="problems" aria-label="Problems">
    ${rows.map(([kind, word, each]) => html`<li>
      <${Sign} icon=${kind}><span class="hear">${word}</span><//><span>
        ${each.line && each.here !== false && html`<button type="button" class="plain" onClick=${() => onGo(each)}>${each.line}:${each.column}</button> `}
        <${Remedied} it=${each} /></span></li>`)}
  </ul>`
}

/** Why something was not answered. */
export const Trouble = ({ trouble }) =>
  trouble &&
  html`<div class="bad-text" role="alert">
    <${Sentence} text=${trouble.message} />${(trouble.problems ?? []).map((each) => html`<div>${each.line ? `${each.line}:${each.column} ` : ""}<${Remedied} it=${each} /></div>`)}
  </div>`
