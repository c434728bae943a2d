// Studio: one text, four views of it, and what it sends, what replies mean and what would become of events, as one types.
import { html, useCallback, useEffect, useMemo, useState } from "../vendor/preact.js"
import { ask, post } from "./studio_api.js"
import { Editor } from "./studio_editor.js"
import { CatalogueView, CurlView } from "./studio_begin.js"
import { FormView } from "./studio_form.js"
import { Choice, Message, Problems, count } from "./studio_parts.js"
import { ReplyPanel, headersOf } from "./studio_reply.js"
import { RequestPanel, readEvents, sampleEvents } from "./studio_request.js"
import { Saving } from "./studio_saving.js"
import { FirstMessage } from "./studio_first.js"
import { SimulatePanel } from "./studio_simulate.js"
import { Steps, stepsOf, useAsked } from "./studio_steps.js"

export const title = "Studio"

// Its styles belong to this page alone: they are there before anything is drawn.
await new Promise((done) => {
  const link = document.createElement("link")
  link.rel = "stylesheet"
  link.href = new URL("./studio.css", import.meta.url)
  link.onload = link.onerror = done
  document.head.append(link)
})

const KEPT = "studio.draft",
  VIEWS = [
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

export default function Studio() {
  const before = useMemo(kept, [])
  const [name, setName] = useState(before.name || "draft"),
    [text, setText] = useState(before.text || ""),
    [view, setView] = useState(before.text ? "yaml" : "curl")
  const [facts, setFacts] = useState(null),
    [listed, setListed] = useState([]),
    [saved, setSaved] = useState(null),
    [trouble, setTrouble] = useState(null)
  const [command, setCommand] = useState(""),
    [written, setWritten] = useState(null),
    [form, setForm] = useState("http")
  const [reply, setReply] = useState({ status: 200, headers: "", body: "" }),
    [told, setTold] = useState(null),
    [go, setGo] = useState(null)
  const [first, setFirst] = useState(null)
  const [secrets, setSecrets] = useState([]),
    [formTrouble, setFormTrouble] = useState(null)

  useEffect(() => {
    document.title = `${name} · Studio`
    try {
      sessionStorage.setItem(KEPT, JSON.stringify({ name, text }))
    } catch {
      /* full, or switched off */
    }
  }, [name, text])
  const list = useCallback(
    () =>
      ask("studio/definitions").then(
        (answer) => setListed(answer.value),
        () => {},
      ),
    [],
  )
  useEffect(() => {
    ask("studio").then((answer) => setFacts(answer.value), setTrouble)
    list()
    const wanted = new URLSearchParams(location.search).get("open")
    if (wanted) open(wanted)
  }, [])

  const open = (wanted) =>
    ask(`studio/definitions/${wanted}`).then(({ value, etag }) => {
      setName(value.name)
      setText(value.definition)
      setSaved({ text: value.definition, etag, undo: value.undo })
      setView("yaml")
      setTold(null)
      setWritten(null)
    }, setTrouble)
  const begin = (called, draft) => {
    setName(called)
    setText(draft)
    setSaved(null)
    setView("yaml")
    setTold(null)
    setWritten(null)
  }

  const asked = isName(name) ? name : "draft"
  const check = useAsked(async (signal) => (text ? { ...(await post("studio/check", { definition: text, name: asked }, signal)), text } : { ...NOTHING }), [text, asked])
  const checked = check.value || NOTHING,
    current = checked.text === text
  const events = useMemo(() => written ?? sampleEvents(checked.uses), [written, checked.uses])
  const read = useMemo(() => readEvents(events), [events])
  const whole = checked.ok && current && read.events !== null && !read.fault
  const previewed = [whole, text, asked, events]
  const render = useAsked(async (signal) => (whole ? post("studio/render", { definition: text, name: asked, events: read.events, form }, signal) : null), [...previewed, form], 0)
  const answer = useAsked(
    async (signal) =>
      whole && reply.body
        ? post("studio/reply", { definition: text, name: asked, events: read.events, status: reply.status || 200, headers: headersOf(reply.headers), body: reply.body }, signal)
        : null,
    [...previewed, reply],
    60,
  )
  const stale = Boolean(text) && (!checked.ok || !current) && Boolean(render.value)

  const fields = useAsked(async (signal) => (view === "form" ? post("studio/form", { definition: text, name: asked }, signal) : null), [view, text, asked], 0)
  const onFields = async (changed) => {
    try {
      const answered = await post("studio/form", { definition: text, name: asked, fields: changed })
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
      const made = await post("studio/rule", {
        definition: text,
        name: asked,
        events: read.events,
        status: reply.status || 200,
        headers: headersOf(reply.headers),
        body: reply.body,
        choice,
      })
      setText(made.definition)
      setView("yaml")
      setGo({ line: made.line, column: 1 })
    } catch (error) {
      setTrouble(error)
    }
  }
  const problems = { errors: checked.errors.map((each) => ({ ...each, here: each.file === `${asked}.yaml` || !each.file })), warnings: checked.warnings }
  const fresh = told && told.of === text
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
    sends: facts?.test_numbers.length > 0,
  })
  const event = read.events?.[0] || {}

  return html`<div class="studio">
    <h1 class="vh">Studio</h1>
    <div class="head">
      <div class="grow">
        <label class="vh" for="st-name">Name of the definition</label>
        <input id="st-name" class="name" value=${name} spellcheck="false" aria-invalid=${!isName(name)} onInput=${(it) => setName(it.target.value)} /><span class="dim">.yaml</span>
        <p class="note">
          ${saved ? (saved.text === text ? "as it is saved" : "differs from what is saved") : "a draft"}${checked.shipped ? html`; goes before the shipped <code>${checked.name}</code>` : null}
        </p>
      </div>
      ${
        facts && text
          ? html`<${Saving}
              name=${asked}
              text=${text}
              saved=${saved}
              facts=${facts}
              good=${checked.ok && current && isName(name)}
              onSaved=${(value) => {
                setSaved(value)
                if (value) setText(value.text)
                list()
              }}
            />`
          : null
      }
      <${Choice} label="Edit as" name="st-view" value=${view} options=${VIEWS} onChange=${setView} />
    </div>
    <${Message} trouble=${trouble} />
    <${Steps} steps=${steps} />
    <p class="vh" role="status">${current && text ? (checked.errors.length ? count(checked.errors.length, "error") : "The definition is valid.") : ""}</p>
    <div class="work">
      <div class="stack">
        ${view === "curl" ? html`<${CurlView} command=${command} onCommand=${setCommand} onDraft=${(draft) => begin(draft.name, draft.text)} onOpen=${(each) => begin(each, `extends: ${each}\n`)} />` : null}
        ${view === "catalogue" ? html`<${CatalogueView} saved=${listed} onBegin=${begin} onSaved=${open} />` : null}
        ${view === "form" ? html`<${FormView} fields=${fields.value?.fields} secrets=${secrets} trouble=${formTrouble || fields.trouble} uses=${checked.uses} callback=${facts?.callback_url} onFields=${onFields} />` : null}
        ${
          view === "yaml"
            ? html`<section class="panel" aria-labelledby="st-yaml">
                <header>
                  <h2 id="st-yaml" class="mono">${asked}.yaml</h2>
                  <span class="note">Ctrl-Space completes</span>
                </header>
                <${Editor} name=${asked} text=${text} checked=${checked} event=${event} go=${go} onChange=${setText} />
              </section>`
            : null
        }
        ${
          view === "yaml" || view === "form"
            ? html`<section class="panel" aria-label="Problems">
                <${Problems}
                  ...${problems}
                  onGo=${(each) => {
                    setView("yaml")
                    setGo({ ...each })
                  }}
                />
                ${current && checked.ok && !checked.warnings.length ? html`<p class="pad note">Nothing is wrong.</p>` : null}${check.trouble ? html`<div class="pad"><${Message} trouble=${check.trouble} /></div>` : null}
                ${checked.secrets.length ? html`<p class="pad note">Needs in the environment: ${checked.secrets.map((each, index) => html`${index ? ", " : ""}<code>${each}</code>`)}</p>` : null}
              </section>`
            : null
        }
      </div>
      <div class="stack">
        <${RequestPanel}
          rendered=${text ? render.value : null}
          trouble=${render.trouble}
          stale=${stale}
          events=${events}
          fault=${read.fault}
          form=${form}
          onForm=${setForm}
          onEvents=${setWritten}
        />
        <${ReplyPanel} reply=${reply} answered=${reply.body && text ? answer.value : null} trouble=${answer.trouble} stale=${stale} onReply=${setReply} onRule=${onRule} />
        ${facts?.simulates ? html`<${SimulatePanel} facts=${facts} definition=${text} name=${asked} event=${event} reply=${reply} able=${whole} told=${told?.value} fresh=${fresh} onTold=${(value) => setTold({ value, of: text })} />` : null}
        ${facts?.test_numbers.length ? html`<${FirstMessage} facts=${facts} name=${checked.name || asked} event=${event} saved=${saved} text=${text} first=${first} onFirst=${setFirst} />` : null}
      </div>
    </div>
  </div>`
}
