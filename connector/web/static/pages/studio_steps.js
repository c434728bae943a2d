// The row of checks: what is tested of the text as it stands, and what is not; and asking again whenever it changes.
import { Sign } from "../parts.js"
import { count } from "../say.js"
import { html, useEffect, useState } from "../vendor/preact.js"
import { good as simulatedWell, sentence } from "./studio_simulate.js"

/** What is asked again whenever one of `inputs` changes: the newest answer counts, whichever comes last. */
export function useAsked(work, inputs, pause = 180) {
  const [told, setTold] = useState({ value: null, trouble: null, busy: false })
  useEffect(() => {
    const aborter = new AbortController()
    setTold((before) => ({ ...before, busy: true }))
    const timer = setTimeout(async () => {
      try {
        const value = await work(aborter.signal)
        if (!aborter.signal.aborted) setTold((before) => ({ value: value ?? before.value, trouble: null, busy: false }))
      } catch (error) {
        if (error.name !== "AbortError") setTold((before) => ({ ...before, trouble: error, busy: false }))
      }
    }, pause)
    return () => {
      clearTimeout(timer)
      aborter.abort()
    }
  }, inputs)
  return told
}

export function Steps({ steps }) {
  return html`<ol class="steps" aria-label="What is checked">
    ${steps.map(([name, icon, text]) => html`<li key=${name}><${Sign} icon=${icon}>${name}<//><small>${text}</small></li>`)}
  </ol>`
}

/** Of the message that was really sent: with the text as it is now, or with an earlier one. */
function firstOf(first, text) {
  if (!first) return ["todo", "not sent"]
  if (first.of !== text) return ["todo", "not sent since the edit"]
  if (!first.end) return ["todo", "on its way"]
  return first.end.status === "accepted" ? ["good", "accepted"] : [first.end.status ? "bad" : "warn", first.end.status || "no result yet"]
}

export function stepsOf({ text, checked, rendered, answered, reply, told, fresh, stale, first, simulates, sends }) {
  const wrong = checked.errors.length,
    doubts = checked.warnings.length
  const definition = !text
    ? ["todo", "nothing written yet"]
    : wrong
      ? ["bad", count(wrong, "error")]
      : checked.ok
        ? [doubts ? "warn" : "good", doubts ? `valid, ${count(doubts, "warning")}` : "valid"]
        : ["todo", "being read"]
  const sent = rendered ? rendered.requests.reduce((sum, each) => sum + each.messages.length, 0) : 0
  const request =
    !rendered || stale
      ? ["todo", "not shown"]
      : rendered.invalid.length
        ? ["warn", count(rendered.invalid.length, "invalid event")]
        : [sent ? "good" : "bad", `${count(sent, "event")}, ${count(rendered.requests.length + rendered.more, "request")}`]
  const open = answered ? answered.messages.filter((each) => each.then === "unknown").length : 0
  const replied = !reply.body
    ? ["todo", "no reply pasted"]
    : !answered || stale
      ? ["todo", "not shown"]
      : open
        ? ["odd", count(open, "message unknown", "messages unknown")]
        : ["good", answered.messages[0]?.then || "read"]
  const simulated = !told ? ["todo", "not run"] : !fresh ? ["todo", "not run since the edit"] : [simulatedWell(told) ? "good" : "warn", sentence(told)]
  return [["Definition", ...definition], ["Request", ...request], ["Reply", ...replied], ...(simulates ? [["Simulate", ...simulated]] : []), ...(sends ? [["First message", ...firstOf(first, text)]] : [])]
}
