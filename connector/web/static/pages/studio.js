// Studio: one text, four views of it, and what it sends, what replies mean and what would become of events, as one types.
import { ask, post } from "../api.js"
import { Card, Choice, Codes } from "../parts.js"
import { count, foreign } from "../say.js"
import { html, useCallback, useEffect, useMemo, useState } from "../vendor/preact.js"
import { Editor } from "./studio_editor.js"
import { CatalogueView, CurlView } from "./studio_begin.js"
import { FirstMessage } from "./studio_first.js"
import { FormView } from "./studio_form.js"
import { Problems, Trouble } from "./studio_parts.js"
import { ReplyPanel, headersOf } from "./studio_reply.js"
import { RequestPanel, readEvents, sampleEvents } from "./studio_request.js"
import { Saving, seen } from "./studio_saving.js"
import { SimulatePanel } from "./studio_simulate.js"
import { Steps, stepsOf, useAsked } from "./studio_steps.js"

// Its styles belong to this page alone: they are there before anything is drawn.
await new Promise((done) => {
  const link = document.createElement("link")
  link.rel = "stylesheet"
  link.href = new URL("./studio.css", import.meta.url)
  link.onload = link.onerror = done
  document.head.append(link)
})

const KEPT = "studio.draft"
const VIEWS = [
  ["form", "Form"],
  ["yaml", "YAML"],
  ["curl", "From curl"],
  ["catalogue", "Catalogue"],
]
const NOTHING = { text: "", ok: false, name: "", operations: [], errors: [], warnings: [], uses: [], secrets: [] }

const isName = (text) => /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text)

function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT)) || {}
  } catch {
    return {}
  }
}

export default function Studio({ query }) {
  const before = useMemo(kept, [])
  const [name, setName] = useState(before.name || "draft")
  const [text, setText] = useState(before.text || "")
  const [saved, setSaved] = useState(before.saved || null)
  const [view, setView] = useState(before.text ? "yaml" : "curl")
  const [facts, setFacts] = useState(null)
  const [listed, setListed] = useState([])
  const [trouble, setTrouble] = useState(null)
  const [command, setCommand] = useState("")
  const [written, setWritten] = useState(null)
  const [form, setForm] = useState("http")
  const [reply, setReply] = useState({ status: 200, headers: "", body: "" })
  const [told, setTold] = useState(null)
  const [go, setGo] = useState(null)
  const [first, setFirst] = useState(null)
  const [secrets, setSecrets] = useState([])
  const [formTrouble, setFormTrouble] = useState(null)

  useEffect(() => {
    document.title = `${foreign(name, 64)} · Studio`
    try {
      sessionStorage.setItem(KEPT, JSON.stringify({ name, text, saved }))
    } catch {
      /* full, or switched off */
    }
  }, [name, text, saved])
  const list = useCallback(() => ask("api/studio/definitions").then((answer) => setListed(answer.value), () => {}), [])
  useEffect(() => {
    ask("api/studio").then((answer) => setFacts(answer.value), setTrouble)
    list()
  }, [])
  const wanted = query.get("open")
  useEffect(() => {
    // What was edited of it stays when the page is loaded again.
    if (wanted && !(before.saved && before.name === wanted)) open(wanted)
  }, [wanted])

  const show = (called, shown, was) => {
    setName(called)
    setText(shown)
    setSaved(was)
    setView("yaml")
    setTold(null)
    setWritten(null)
    setFirst(null)
    setTrouble(null)
  }
  const open = (called) => ask(`api/studio/definitions/${encodeURIComponent(called)}`).then((answer) => show(answer.value.name, answer.value.definition, seen(answer)), setTrouble)
  const begin = (called, draft) => show(called, draft, null)

  const asked = isName(name) ? name : "draft"
  const check = useAsked(async (signal) => (text ? { ...(await post("api/studio/check", { definition: text, name: asked }, signal)), text } : { ...NOTHING }), [text, asked])
  const checked = check.value || NOTHING
  const current = checked.text === text
  const events = useMemo(() => written ?? sampleEvents(checked.uses), [written, checked.uses])
  const read = useMemo(() => readEvents(events), [events])
  const whole = checked.ok && current && read.events !== null && !read.fault
  const draft = { definition: text, name: asked, events: read.events }
  const replied = { ...draft, status: reply.status || 200, headers: headersOf(reply.headers), body: reply.body }
  const previewed = [whole, text, asked, events]
  const render = useAsked(async (signal) => (whole ? post("api/studio/render", { ...draft, form }, signal) : null), [...previewed, form], 0)
  const answer = useAsked(async (signal) => (whole && reply.body ? post("api/studio/reply", replied, signal) : null), [...previewed, reply], 60)
  const stale = Boolean(text) && (!checked.ok || !current) && Boolean(render.value)

  const fields = useAsked(async (signal) => (view === "form" ? post("api/studio/form", { definition: text, name: asked }, signal) : null), [view, text, asked], 0)
  const onFields = async (changed) => {
    try {
      const answered = await post("api/studio/form", { definition: text, name: asked, fields: changed })
      setSecrets((known) => [...new Set([...known, ...answered.secrets])])
      setText(answered.definition)
      setFormTrouble(null)
      if (isName(changed.provider || "")) setName(changed.provider)
    } catch (error) {
      setFormTrouble(error)
    }
  }
  const onRule = async (choice) => {
    try {
      const made = await post("api/studio/rule", { ...replied, choice })
      setText(made.definition)
      setView("yaml")
      setGo({ line: made.line, column: 1 })
    } catch (error) {
      setTrouble(error)
    }
  }
  const onSaved = (value) => {
    setSaved(value)
    if (value) setText(value.text)
    list()
  }
  const fresh = told?.of === text
  const steps = stepsOf({
    text,
    checked: current ? checked : NOTHING,
    rendered: render.value,
    answered: answer.value,
    reply,
    told: told?.value,
    fresh,
    stale,
    first,
    simulates: facts?.simulates,
    sends: facts?.test_numbers.length > 0,
  })
  const event = read.events?.[0] ?? {}
  const good = checked.ok && current

  return html`<div class="studio">
    <h1 class="hear">Studio</h1>
    <div class="head">
      <div class="grow">
        <label class="hear" for="st-name">Name of the definition</label>
        <input id="st-name" class="name" value=${name} spellcheck="false" aria-invalid=${String(!isName(name))} aria-describedby="st-state" onInput=${(it) => setName(it.target.value)} /><span class="soft">.yaml</span>
        <p id="st-state" class="soft">${!isName(name) ? html`<span class="bad-text">a name has letters, digits and . _ - alone</span>` : saved ? (saved.text === text ? "as it is saved" : "differs from what is saved") : "a draft"}${checked.shipped && html`; goes before the shipped <code>${checked.name}</code>`}</p>
      </div>
      ${facts && text && html`<${Saving} name=${asked} text=${text} saved=${saved} facts=${facts} good=${good && isName(name)} onSaved=${onSaved} />`}
      <${Choice} label="Edit as" value=${view} options=${VIEWS} onChoose=${setView} />
    </div>
    <${Trouble} trouble=${trouble} />
    <${Steps} steps=${steps} />
    <p class="hear" role="status">${current && text ? (checked.errors.length ? count(checked.errors.length, "error") : "The definition is valid.") : ""}</p>
    <div class="work">
      <div class="stack">
        ${view === "curl" && html`<${CurlView} command=${command} onCommand=${setCommand} onDraft=${(it) => begin(it.name, it.text)} onOpen=${(each) => begin(each, `extends: ${each}\n`)} />`}
        ${view === "catalogue" && html`<${CatalogueView} saved=${listed} onBegin=${begin} onSaved=${open} />`}
        ${view === "form" && html`<${FormView} fields=${fields.value?.fields} secrets=${secrets} trouble=${formTrouble || fields.trouble} uses=${checked.uses} callback=${facts?.callback_url} onFields=${onFields} />`}
        ${view === "yaml" && html`<${Card} title=${html`<span class="mono">${asked}.yaml</span>`} end=${html`<small>Ctrl-Space completes</small>`}>
          <${Editor} name=${asked} text=${text} checked=${checked} event=${event} go=${go} onChange=${setText} /><//>`}
        ${(view === "yaml" || view === "form") && html`<section class="card" aria-label="Problems">
          <${Problems} errors=${checked.errors.map((each) => ({ ...each, here: each.file === `${asked}.yaml` || !each.file }))} warnings=${checked.warnings}
            onGo=${(each) => {
              setView("yaml")
              setGo({ ...each })
            }} />
          ${good && !checked.warnings.length && html`<p class="body soft">Nothing is wrong.</p>`}
          ${check.trouble && html`<div class="body"><${Trouble} trouble=${check.trouble} /></div>`}
          ${checked.secrets.length > 0 && html`<p class="body soft">Needs in the environment: <${Codes} names=${checked.secrets} /></p>`}
        </section>`}
      </div>
      <div class="stack">
        <${RequestPanel} rendered=${text ? render.value : null} trouble=${render.trouble} stale=${stale} events=${events} fault=${read.fault} form=${form} onForm=${setForm} onEvents=${setWritten} />
        <${ReplyPanel} reply=${reply} answered=${reply.body && text ? answer.value : null} trouble=${answer.trouble} stale=${stale} onReply=${setReply} onRule=${onRule} />
        ${facts?.simulates && html`<${SimulatePanel} facts=${facts} definition=${text} name=${asked} event=${event} reply=${reply} able=${whole} told=${told?.value} fresh=${fresh} onTold=${(value) => setTold({ value, of: text })} />`}
        ${facts?.test_numbers.length > 0 && html`<${FirstMessage} facts=${facts} name=${checked.name || asked} event=${event} able=${whole} saved=${saved} text=${text} first=${first} onFirst=${setFirst} />`}
      </div>
    </div>
  </div>`
}
