// A run against a fake provider in memory: nothing leaves, time is virtual, and what the provider took is counted.
import { html, useRef, useState } from "../vendor/preact.js"
import { Trouble, stream, visible } from "./studio_api.js"
import { Icon, Message, State, count } from "./studio_parts.js"

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
const number = new Intl.NumberFormat()

/** What came of it, in a sentence: also for the row of checks. */
export function sentence(told) {
  const results = Object.entries(told.results).map(([status, messages]) => `${number.format(messages)} ${status}`)
  const parts = [
    ...results,
    told.waiting ? `${number.format(told.waiting)} waiting` : "",
    told.twice ? `${number.format(told.twice)} taken twice` : "none taken twice",
    told.lost ? `${number.format(told.lost)} lost` : "",
  ]
  return parts.filter(Boolean).join(", ")
}

export const good = (told) => !told.lost && !told.twice && !told.waiting && !told.invalid

function Told({ told }) {
  const facts = [
    ["requests", told.requests],
    ["messages in the largest", told.largest],
    ["taken by the provider", told.taken],
    ["taken twice", told.twice],
    ["accepted, not taken", told.lost],
    ["taken, result says no", told.unsaid],
    ["taken, result unknown", told.unknown],
    ["still waiting", told.waiting],
  ]
  return html`<div class="pad" aria-live="polite">
    <p><${State} kind=${good(told) ? "ok" : "warn"}>${sentence(told)}<//> <span class="note">in ${number.format(told.seconds)} s of virtual time</span></p>
    <dl class="facts">
      ${facts
        .filter(([, value]) => value)
        .map(
          ([name, value]) =>
            html`<div>
              <dt>${name}</dt>
              <dd class="n">${number.format(value)}</dd>
            </div>`,
        )}
    </dl>
    ${
      told.reasons.length
        ? html`<table class="out">
            <thead>
              <tr>
                <th scope="col">Status</th>
                <th scope="col">Code</th>
                <th scope="col">Reason</th>
                <th scope="col" class="r">Messages</th>
              </tr>
            </thead>
            <tbody>
              ${told.reasons.map(
                (each) =>
                  html`<tr>
                    <td>${each.status}</td>
                    <td class="mono">${each.code ? visible(each.code) : "–"}</td>
                    <td>${each.reason ? visible(each.reason) : "–"}</td>
                    <td class="r n">${number.format(each.messages)}</td>
                  </tr>`,
              )}
            </tbody>
          </table>`
        : null
    }
    <p class="note">
      The provider answered${" "}
      ${Object.entries(told.replies)
        .map(([what, times]) => `${what} (${number.format(times)}×)`)
        .join(", ")}.
    </p>
  </div>`
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

export function SimulatePanel({ facts, definition, name, event, reply, able, told, fresh, onTold }) {
  const fakes = Object.keys(facts.fakes),
    [fake, setFake] = useState(""),
    [events, setEvents] = useState(1000)
  const [fault, setFault] = useState(-1),
    [asked, setAsked] = useState([]),
    [done, setDone] = useState(null),
    [trouble, setTrouble] = useState(null)
  const running = useRef(null),
    chosen = fake || (fakes.includes(name) ? name : "generic")
  const run = async () => {
    running.current = new AbortController()
    setTrouble(null)
    setDone(0)
    try {
      await stream(
        "studio/simulate",
        { definition, name, fake: chosen, count: events, event, faults: { ...answering(chosen, reply), ...(fault < 0 ? {} : FAULTS[fault][1]) }, magic: asked },
        (kind, data) => {
          if (kind === "progress") setDone(data.done / data.of)
          if (kind === "result") onTold(data)
          if (kind === "problem") setTrouble(new Trouble(data.title))
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
  return html`<section class="panel" aria-labelledby="st-sm">
    <header>
      <h2 id="st-sm">Simulate</h2>
      <span class="note">nothing leaves this machine</span> ${
        done === null
          ? html`<button type="button" class="btn s" disabled=${!able} onClick=${run}><${Icon} name="run" />Run ${count(events, "event")}</button>`
          : html`<button type="button" class="btn s" onClick=${() => running.current?.abort()}>Stop</button>`
      }
    </header>
    <div class="pad row line wrap">
      <label class="f"
        >Provider<select class="in" value=${chosen} onChange=${(it) => setFake(it.target.value)}>
          ${fakes.map((each) => html`<option value=${each}>${each}</option>`)}
        </select></label
      >
      <label class="f"
        >Events<input class="in n" type="number" min="1" max="10000" value=${events} onInput=${(it) => setEvents(Math.min(10000, Math.max(1, Number(it.target.value) || 1)))}
      /></label>
      <label class="f"
        >Fault<select class="in" value=${fault} onChange=${(it) => setFault(Number(it.target.value))}>
          <option value="-1">none</option>
          ${FAULTS.map(([label], index) => html`<option value=${index}>${label}</option>`)}
        </select></label
      >
    </div>
    <fieldset class="pad row ticks line">
      <legend class="note">One number in fifty is</legend>
      ${facts.outcomes.map(
        (each) => html` <label class="st-tick"><input type="checkbox" checked=${asked.includes(each)} onChange=${() => toggle(each)} />${OUTCOMES[each] || each}</label>`,
      )}
    </fieldset>
    ${done === null ? null : html`<div class="pad"><progress max="1" value=${done} aria-label="How far the simulation is"></progress></div>`}
    ${trouble ? html`<div class="pad"><${Message} trouble=${trouble} /></div>` : null}
    ${told ? html`<div class=${fresh ? "" : "old"}>${fresh ? null : html`<p class="pad note"><strong>Run before the last edit.</strong></p>`}<${Told} told=${told} /></div>` : null}
    <p class="pad note">The fake ${chosen}: ${facts.fakes[chosen]?.about}.${chosen === "generic" && reply.body ? " It answers the reply above." : ""}</p>
  </section>`
}
