/** What people did, as pages tell it: a deed is two records, one before it and one after it. */

import { Sign } from "./parts.js"
import { foreign } from "./say.js"
import { html } from "./vendor/preact.js"

/** One entry a deed, the newest first: how it ended, or what is known of one whose end nobody has written. */
export const deedsOf = (records) => records.filter((it) => it.done !== "asked" || it.known)

/** What deeds are called, once they are done. */
const DONE = { pause: "paused", resume: "resumed", save: "saved", undo: "took back", put: "set", delete: "deleted", cancel: "cancelled", send: "sent" }

/** `ravi paused provider plivo`; of what was not done, or is not known to be, what was wanted. */
export function deedSentence(it) {
  const [kind, verb = ""] = it.what.split(".")
  const [who, target] = [foreign(it.who, 80), foreign(it.target, 80)]
  return it.done === "done" && DONE[verb] ? `${who} ${DONE[verb]} ${foreign(kind, 32)} ${target}` : `${who}: ${foreign(it.what, 64).replace(".", " ")} ${target}`
}

export const keyOfDeed = (it) => `${it.request} ${it.at} ${it.done}`

export function Ended({ it }) {
  if (it.done === "failed") return html`<${Sign} icon="bad">failed<//>${it.error && html`<small>${foreign(it.error, 200)}</small>`}`
  if (it.done === "done") return html`<${Sign} icon="good">done<//>`
  return html`<${Sign} icon="odd">asked<//><small>${foreign(it.known, 200)}</small>`
}
