// A run against a fake provider in memory: nothing leaves, time is virtual, and what the provider took is counted.
import { ProblemError, stream } from "../api.js"
import { Icon } from "../icons.js"
import { Card, Sign, Table } from "../parts.js"
import { count, foreign, number } from "../say.js"
import { html, useRef, useState } from "../vendor/preact.js"
import { Trouble } from "./studio_parts.js"

const FAULTS = [
  ["5xx after taking", { error: 503, error_taken: true, share: 0.1 }],
  ["5xx", { error: 503, share: 0.1 }],
  ["throttled", { throttle: true, share: 0.3, retry_after: 2 }],
  ["closed after taking", { drop: "after", share: 0.1 }],
  ["closed before", { drop: "before", share: 0.1 }],
  ["slow", { latency: 5 }],
  ["reply breaks off", { broken: "any", share: 0.1 }],
  ["half a reply", { malformed: true, share: 0.1 }],
  ["results shuffled", { shuffle: true }],
  ["results missing", { truncate: 1, share: 0.2 }],
]
const OUTCOMES = {
  invalid: "wrong number",
  blocked: "blocked",
  throttled: "too fast",
  temporary: "fault inside",
  permanent: "refused",
  silent: "missing from the reply",
  credit: "no credit",
  hours: "not at this hour",
}
const COLUMNS = [
  { key: "status", title: "Status" },
  { key: "code", title: "Code" },
  { key: "reason", title: "Reason", long: true },
  { key: "messages", title: "Messages", number: true },
]

/** What came of it, in a sentence: also for the row of checks. */
export function sentence(told) {
  const parts = [
    ...Object.entries(told.results).map(([status, messages]) => `${number(messages)} ${status}`),
    told.waiting ? `${number(told.waiting)} waiting` : "",
    told.twice ? `${number(told.twice)} taken twice` : "none taken twice",
    told.lost ? `${number(told.lost)} lost` : "",
  ]
  return parts.filter(Boolean).join(", ")
}

export const good = (told) => !told.lost && !told.twice && !told.waiting && !told.invalid

function cell(it, key) {
  if (key === "messages") return number(it.messages)
  return key === "status" ? it.status : foreign(it[key] || "–", 200)
}

function Told({ told }) {
  const facts = [
    ["Requests", told.requests],
    ["Messages in the largest", told.largest],
    ["Taken by the provider", told.taken],
    ["Taken twice", told.twice],
    ["Accepted, not taken", told.lost],
    ["Taken, result says no", told.unsaid],
    ["Taken, result unknown", told.unknown],
    ["Still waiting", told.waiting],
  ]
  const replies = Object.entries(told.replies).map(([what, times]) => `${what} (${number(times)}×)`)
  return html`<div class="body stack" aria-live="polite">
      <p><${Sign} icon=${good(told) ? "good" : "warn"}>${sentence(told)}<//> <span class="soft">in ${number(told.seconds)} s of virtual time</span></p>
      <dl class="facts">${facts.filter(([, value]) => value).map(([name, value]) => html`<div><dt>${name}</dt><dd>${number(value)}</dd></div>`)}</dl>
      <p class="soft">The provider answered ${replies.join(", ")}.</p>
    </div>
    ${told.reasons.length > 0 && html`<${Table} caption="Results with a reason" columns=${COLUMNS} rows=${told.reasons} keyOf=${(it) => told.reasons.indexOf(it)} cell=${cell} />`}`
}

/** A fake that takes anything answers what was pasted as the reply, where something was. */
function answering(fake, reply) {
  if (fake !== "generic" || !reply.body) return {}
  let body = reply.body
  try {
    body = JSON.parse(body)
  } catch {
    /* it is a text */
  }
  return { reply: body, reply_status: reply.status || 200 }
}

const MOST_EVENTS = 10_000

export function SimulatePanel({ facts, definition, name, event, reply, able, told, fresh, onTold }) {
  const fakes = Object.keys(facts.fakes)
  const [fake, setFake] = useState("")
  const [events, setEvents] = useState(1000)
  const [fault, setFault] = useState(-1)
  const [asked, setAsked] = useState([])
  const [done, setDone] = useState(null)
  const [trouble, setTrouble] = useState(null)
  const running = useRef(null)
  const chosen = fake || (fakes.includes(name) ? name : "generic")
  const run = async () => {
    running.current = new AbortController()
    setTrouble(null)
    setDone(0)
    try {
      await stream(
        "api/studio/simulate",
        { definition, name, fake: chosen, count: events, event, faults: { ...answering(chosen, reply), ...(fault < 0 ? {} : FAULTS[fault][1]) }, magic: asked },
        (kind, data) => {
          if (kind === "progress") setDone(data.done / data.of)
          if (kind === "result") onTold(data)
          if (kind === "problem") setTrouble(new ProblemError(data.title))
        },
        running.current.signal,
      )
    } catch (error) {
      if (error.name !== "AbortError") setTrouble(error)
    } finally {
      running.current = null
      setDone(null)
    }
  }
  const toggle = (outcome) => setAsked(asked.includes(outcome) ? asked.filter((each) => each !== outcome) : [...asked, outcome])
  return html`<${Card} title="Simulate" end=${html`<div class="row"><small>nothing leaves this machine</small>
      ${done === null
        ? html`<button type="button" disabled=${!able} onClick=${run}><${Icon} name="run" />Run ${count(events, "event")}</button>`
        : html`<button type="button" onClick=${() => running.current?.abort()}>Stop</button>`}</div>`}>
    <div class="body row edge-end">
      <label class="field">Provider<select value=${chosen} onChange=${(it) => setFake(it.target.value)}>${fakes.map((each) => html`<option value=${each}>${each}</option>`)}</select></label>
      <label class="field">Events<input type="number" min="1" max=${MOST_EVENTS} value=${events} onInput=${(it) => setEvents(Math.min(MOST_EVENTS, Math.max(1, Number(it.target.value) || 1)))} /></label>
      <label class="field">Fault<select value=${fault} onChange=${(it) => setFault(Number(it.target.value))}>
        <option value="-1">none</option>${FAULTS.map(([label], index) => html`<option value=${index}>${label}</option>`)}</select></label>
    </div>
    <fieldset class="body ticks edge-end"><legend class="soft">One number in fifty is</legend>
      ${facts.outcomes.map((each) => html`<label class="tick"><input type="checkbox" checked=${asked.includes(each)} onChange=${() => toggle(each)} />${OUTCOMES[each] || each}</label>`)}</fieldset>
    ${done !== null && html`<div class="body"><progress max="1" value=${done} aria-label="How far the simulation is"></progress></div>`}
    ${trouble && html`<div class="body"><${Trouble} trouble=${trouble} /></div>`}
    ${told && html`<div class=${fresh ? "" : "old"}>${!fresh && html`<p class="body"><strong>Run before the last edit.</strong></p>`}<${Told} told=${told} /></div>`}
    <p class="body soft">The fake ${chosen}: ${facts.fakes[chosen]?.about}.${chosen === "generic" && reply.body ? " It answers the reply above." : ""}</p><//>`
}
