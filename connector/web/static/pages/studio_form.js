// CleverTap's form as a view of the text: each field writes its own key and leaves every other line as it is.
import { Card, Choice, Codes, Table } from "../parts.js"
import { html } from "../vendor/preact.js"
import { Trouble } from "./studio_parts.js"

/** A field that tells its value when it is left: while it is typed the text would change with every key. */
function Field({ label, why, value, onChange, mono = false, ...more }) {
  return html`<label class="field">${label}${why && html` <small>${why}</small>`}
    <input class=${mono ? "mono" : ""} value=${value} onChange=${(event) => onChange(event.target.value)} spellcheck="false" autocomplete="off" ...${more} /></label>`
}

function Pairs({ legend, pairs, onChange, add }) {
  const set = (index, part) => (event) => onChange(pairs.map((pair, at) => (at === index ? { ...pair, [part]: event.target.value } : pair)))
  return html`<fieldset><legend>${legend}</legend>
    ${pairs.map((pair, index) => html`<div class="pairrow" key=${index}>
      <input class="mono" aria-label=${`${legend}: key ${index + 1}`} value=${pair.key} onChange=${set(index, "key")} spellcheck="false" />
      <input class="mono" aria-label=${`${legend}: value of ${pair.key || `key ${index + 1}`}`} value=${pair.value} onChange=${set(index, "value")} spellcheck="false" />
      <button type="button" onClick=${() => onChange(pairs.filter((_, at) => at !== index))}>Remove <span class="hear">${pair.key || "this pair"}</span></button>
    </div>`)}
    <button type="button" class="small" onClick=${() => onChange([...pairs, { key: `${add}${pairs.length + 1}`, value: "" }])}>Add a pair</button>
  </fieldset>`
}

function AuthenticationFields({ given, onChange }) {
  const set = (part) => (value) => onChange({ ...given, [part]: value })
  const kinds = [["none", "No Authentication"], ["basic", "Basic"], ["oauth2", "Auth 2.0"], ...(given.kind === "other" ? [["other", "as in YAML"]] : [])]
  return html`<fieldset><legend>Authentication</legend>
    <${Choice} label="Authentication" value=${given.kind || "none"} options=${kinds} onChoose=${set("kind")} />
    ${given.kind === "basic" && html`<div class="fields">
      <${Field} label="Username" value=${given.username || ""} onChange=${set("username")} />
      <${Field} label="Password" why="becomes a variable" value=${given.password || ""} onChange=${set("password")} /></div>`}
    ${given.kind === "oauth2" && html`<div class="fields">
        <${Field} label="Client URL" value=${given.client_url || ""} onChange=${set("client_url")} mono />
        <${Field} label="Client ID" value=${given.client_id || ""} onChange=${set("client_id")} />
        <${Field} label="Secret key" why="becomes a variable" value=${given.secret_key || ""} onChange=${set("secret_key")} /></div>
      <${Pairs} legend="Key-value pairs (optional)" pairs=${given.pairs || []} add="key" onChange=${set("pairs")} />`}
  </fieldset>`
}

function ParameterFields({ given, get, onChange }) {
  const set = (part) => (value) => onChange({ ...given, [part]: value })
  const kinds = [["none", "None"], ["pairs", "Key-value pair"], ["json", "JSON"], ...(given.kind === "other" ? [["other", "as in YAML"]] : [])]
  return html`<fieldset><legend>Parameters</legend>
    <${Choice} label="Parameters" value=${given.kind || "none"} options=${kinds} onChoose=${set("kind")} />
    ${given.kind === "pairs" && html`<${Pairs} legend="Keys and values" pairs=${given.pairs || []} add="key" onChange=${set("pairs")} />`}
    ${given.kind === "json" && html`<label class="field">JSON payload <small>as the provider shows it; // comments may stay${get && "; a GET has none"}</small>
      <textarea class="mono" rows="10" spellcheck="false" value=${given.json || ""} onChange=${(event) => set("json")(event.target.value)}></textarea></label>`}
    <p class="soft">Replacements: <code>$$To</code>, <code>$$Body</code>, <code>$$TemplateID</code>, <code>$$TemplateVariables</code>, <code>$$CampaignID</code>, and any name of your own.</p>
  </fieldset>`
}

const SYSTEM = new Set(["To", "Body", "TemplateID", "TemplateVariables", "CampaignID", "MessageID"])
const CUSTOM = [
  { key: "name", title: "Custom replacement" },
  { key: "stands", title: "Stands" },
  { key: "who", title: "Who supplies it", long: true },
]

/** Custom replacements: what stands outside the records every campaign must bring, the rest each event. */
function Custom({ uses }) {
  const found = new Map()
  for (const use of uses) for (const name of use.names) if (!SYSTEM.has(name)) found.set(name, (found.get(name) ?? false) || use.shared)
  if (!found.size) return null
  return html`<${Table} caption="Custom replacements" columns=${CUSTOM} rows=${[...found]} keyOf=${([name]) => name} cell=${custom} />`
}

function custom([name, shared], key) {
  switch (key) {
    case "name": return html`<code class=${shared ? "shared" : "own"}>${name}</code>`
    case "stands": return shared ? "outside the records" : "in the record"
    default: return shared ? html`every campaign: a <strong>mandatory input</strong> there` : html`every event, in <code>custom.${name}</code>`
  }
}

export function FormView({ fields, secrets, trouble, uses, callback, onFields }) {
  if (!fields) return html`<section class="card body stack"><${Trouble} trouble=${trouble} /><p class="soft">The form is shown once the text is YAML.</p></section>`
  const set = (part) => (value) => onFields({ ...fields, [part]: value })
  const { batching } = fields
  const method = fields.method || "POST"
  return html`<${Card} title="Add Provider" end=${html`<small>Other (Generic); YAML has the rest</small>`}>
    <div class="body stack">
      <div class="fields">
        <${Field} label="Provider" why="what events call it" value=${fields.provider || ""} onChange=${set("provider")} />
        <${Field} label="Nickname" why="what people call it" value=${fields.nickname || ""} onChange=${set("nickname")} />
      </div>
      <fieldset><legend>Request type</legend>
        <${Choice} label="Request type" value=${method} onChoose=${set("method")} options=${[...new Set(["GET", "POST", method])].map((it) => [it, it])} /></fieldset>
      <${Field} label="HTTP API endpoint" value=${fields.endpoint || ""} onChange=${set("endpoint")} mono inputmode="url" placeholder="https://sms.example.com/send" />
      <${AuthenticationFields} given=${fields.authentication || {}} onChange=${set("authentication")} />
      <${Pairs} legend="Headers" pairs=${fields.headers || []} add="X-Header-" onChange=${set("headers")} />
      <${ParameterFields} given=${fields.parameters || {}} get=${method === "GET"} onChange=${set("parameters")} />
      <fieldset><legend>Batching</legend>
        <label class="tick"><input type="checkbox" checked=${Boolean(batching)} onChange=${(event) => set("batching")(event.target.checked ? { key: "msgs", records: 1000 } : null)} />Enable batching</label>
        ${batching && html`<div class="fields">
          <${Field} label="Key name" value=${batching.key} mono onChange=${(key) => set("batching")({ ...batching, key })} />
          <${Field} label="Number of records per batch" why="1 to 1,000" type="number" min="1" max="1000" value=${batching.records} onChange=${(records) => set("batching")({ ...batching, records: Number(records) || 1 })} /></div>`}
      </fieldset>
      <fieldset><legend>Callback URL</legend>
        <label class="tick"><input type="checkbox" checked=${Boolean(fields.reports)} onChange=${(event) => set("reports")(event.target.checked)} />The provider reports deliveries</label>
        <p class="soft">${callback ? html`It calls <code>${callback}/r/${fields.provider}/…</code>: <code>sms-connector receive urls --show-secrets</code> prints the whole.` : html`Where <code>receive.url</code> is set, <code>sms-connector receive urls</code> prints what to register.`}</p>
      </fieldset>
      ${secrets.length > 0 && html`<p class="warn-text" role="status">Set in the environment of the workers: <${Codes} names=${secrets} />. What was typed is not kept.</p>`}
      <${Trouble} trouble=${trouble} />
      ${fields.beyond?.length > 0 && html`<p class="soft">Only in YAML: <${Codes} names=${fields.beyond} />.</p>`}
    </div>
    <${Custom} uses=${uses} /><//>`
}
