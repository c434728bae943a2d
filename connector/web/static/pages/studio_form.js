// CleverTap's form as a view of the text: each field writes its own key and leaves every other line as it is.
import { html } from "../vendor/preact.js"
import { Choice, Message } from "./studio_parts.js"

const HEADERS = "Keys and values of the HTTP headers"

/** A field that tells its value when it is left: while it is typed the text would change with every key. */
function Field({ label, why, value, onChange, mono = false, ...more }) {
  return html`<label class="f"
    >${label}${why ? html` <span class="why">${why}</span>` : null}
    <input class=${`in ${mono ? "mono" : ""}`} value=${value} onChange=${(event) => onChange(event.target.value)} spellcheck="false" autocomplete="off" ...${more}
  /></label>`
}

function Pairs({ legend, pairs, onChange, add }) {
  const set = (index, part, value) => onChange(pairs.map((pair, at) => (at === index ? { ...pair, [part]: value } : pair)))
  return html`<fieldset class="f2">
    <legend>${legend}</legend>
    ${pairs.map(
      (pair, index) =>
        html`<div class="pairrow" key=${index}>
          <input class="in mono" aria-label=${`${legend}: key ${index + 1}`} value=${pair.key} onChange=${(event) => set(index, "key", event.target.value)} spellcheck="false" />
          <input
            class="in mono"
            aria-label=${`${legend}: value of ${pair.key || `key ${index + 1}`}`}
            value=${pair.value}
            onChange=${(event) => set(index, "value", event.target.value)}
            spellcheck="false"
          />
          <button type="button" class="btn s" onClick=${() => onChange(pairs.filter((_, at) => at !== index))}>Remove <span class="vh">${pair.key || "this pair"}</span></button>
        </div>`,
    )}
    <button type="button" class="btn s" onClick=${() => onChange([...pairs, { key: `${add}${pairs.length + 1}`, value: "" }])}>Add a pair</button>
  </fieldset>`
}

function AuthenticationFields({ given, onChange }) {
  const set = (part) => (value) => onChange({ ...given, [part]: value })
  const kinds = [["none", "No Authentication"], ["basic", "Basic"], ["oauth2", "Auth 2.0"], ...(given.kind === "other" ? [["other", "as in YAML"]] : [])]
  return html`<fieldset class="f2">
    <legend>Authentication</legend>
    <${Choice} label="Authentication" name="st-auth" value=${given.kind || "none"} options=${kinds} onChange=${(kind) => onChange({ ...given, kind })} />
    ${
      given.kind === "basic"
        ? html`<div class="g2">
            <${Field} label="Username" value=${given.username || ""} onChange=${set("username")} />
            <${Field} label="Password" why="becomes a variable" value=${given.password || ""} onChange=${set("password")} />
          </div>`
        : null
    }
    ${
      given.kind === "oauth2"
        ? html`<div class="g2">
              <${Field} label="Client URL" value=${given.client_url || ""} onChange=${set("client_url")} mono />
              <${Field} label="Client ID" value=${given.client_id || ""} onChange=${set("client_id")} /><${Field}
                label="Secret key"
                why="becomes a variable"
                value=${given.secret_key || ""}
                onChange=${set("secret_key")}
              />
            </div>
            <${Pairs} legend="Key-value pairs (optional)" pairs=${given.pairs || []} add="key" onChange=${(pairs) => onChange({ ...given, pairs })} />`
        : null
    }
  </fieldset>`
}

function ParameterFields({ given, get, onChange }) {
  const kinds = [["none", "None"], ["pairs", "Key-value pair"], ["json", "JSON"], ...(given.kind === "other" ? [["other", "as in YAML"]] : [])]
  return html`<fieldset class="f2">
    <legend>Parameters</legend>
    <${Choice} label="Parameters" name="st-par" value=${given.kind || "none"} options=${kinds} onChange=${(kind) => onChange({ ...given, kind })} />
    ${given.kind === "pairs" ? html`<${Pairs} legend="Keys and values" pairs=${given.pairs || []} add="key" onChange=${(pairs) => onChange({ ...given, pairs })} />` : null}
    ${
      given.kind === "json"
        ? html`<label class="f"
            >JSON payload <span class="why">as the provider shows it; // comments may stay${get ? "; a GET has none" : ""}</span>
            <textarea class="in mono" rows="10" spellcheck="false" value=${given.json || ""} onChange=${(event) => onChange({ ...given, json: event.target.value })}></textarea>
          </label>`
        : null
    }
    <p class="note">
      Replacements: <code>$$To</code>, <code>$$Body</code>, <code>$$TemplateID</code>, <code>$$TemplateVariables</code>, <code>$$CampaignID</code>, and any name of your own.
    </p>
  </fieldset>`
}

/** Custom replacements: what stands outside the records every campaign must bring, the rest each event. */
function Custom({ uses }) {
  const known = new Set(["To", "Body", "TemplateID", "TemplateVariables", "CampaignID", "MessageID"]),
    rows = new Map()
  for (const use of uses) for (const name of use.names) if (!known.has(name)) rows.set(name, (rows.get(name) ?? false) || use.shared)
  if (!rows.size) return null
  return html`<table class="out">
    <thead>
      <tr>
        <th scope="col">Custom replacement</th>
        <th scope="col">Stands</th>
        <th scope="col">Who supplies it</th>
      </tr>
    </thead>
    <tbody>
      ${[...rows].map(
        ([name, shared]) =>
          html`<tr>
            <td><code class=${shared ? "sh" : "ow"}>${name}</code></td>
            <td>${shared ? "outside the records" : "in the record"}</td>
            <td>${shared ? html`every campaign: a <strong>mandatory input</strong> there` : html`every event, in <code>custom.${name}</code>`}</td>
          </tr>`,
      )}
    </tbody>
  </table>`
}

export function FormView({ fields, secrets, trouble, uses, callback, onFields }) {
  if (!fields)
    return html`<section class="panel pad">
      <${Message} trouble=${trouble} />
      <p class="note">The form is shown once the text is YAML.</p>
    </section>`
  const set = (part) => (value) => onFields({ ...fields, [part]: value })
  const batching = fields.batching
  return html`<section class="panel form" aria-labelledby="st-form">
    <header>
      <h2 id="st-form">Add Provider</h2>
      <span class="note">Other (Generic); YAML has the rest</span>
    </header>
    <div class="pad stack">
      <div class="g2">
        <${Field} label="Provider" why="what events call it" value=${fields.provider || ""} onChange=${set("provider")} />
        <${Field} label="Nickname" why="what people call it" value=${fields.nickname || ""} onChange=${set("nickname")} />
      </div>
      <fieldset class="f2">
        <legend>Request type</legend>
        <${Choice}
          label="Request type"
          name="st-method"
          value=${fields.method || "POST"}
          onChange=${set("method")}
          options=${[["GET", "GET"], ["POST", "POST"], ...(["GET", "POST"].includes(fields.method || "POST") ? [] : [[fields.method, fields.method]])]}
        />
      </fieldset>
      <${Field} label="HTTP API endpoint" value=${fields.endpoint || ""} onChange=${set("endpoint")} mono inputmode="url" placeholder="https://sms.example.com/send" />
      <${AuthenticationFields} given=${fields.authentication || {}} onChange=${set("authentication")} />
      <${Pairs} legend="Headers" why=${HEADERS} pairs=${fields.headers || []} add="X-Header-" onChange=${set("headers")} />
      <${ParameterFields} given=${fields.parameters || {}} get=${fields.method === "GET"} onChange=${set("parameters")} />
      <fieldset class="f2">
        <legend>Batching</legend>
        <label class="st-tick"
          ><input type="checkbox" checked=${Boolean(batching)} onChange=${(event) => set("batching")(event.target.checked ? { key: "msgs", records: 1000 } : null)} />Enable
          batching</label
        >
        ${
          batching
            ? html`<div class="g2">
                <${Field} label="Key name" value=${batching.key} mono onChange=${(key) => set("batching")({ ...batching, key })} />
                <${Field}
                  label="Number of records per batch"
                  why="1 to 1,000"
                  type="number"
                  min="1"
                  max="1000"
                  value=${batching.records}
                  onChange=${(records) => set("batching")({ ...batching, records: Number(records) || 1 })}
                />
              </div>`
            : null
        }
      </fieldset>
      <fieldset class="f2">
        <legend>Callback URL</legend>
        <label class="st-tick"
          ><input type="checkbox" checked=${Boolean(fields.reports)} onChange=${(event) => set("reports")(event.target.checked)} />The provider reports deliveries</label
        >
        <p class="note">
          ${callback ? html`It calls <code>${callback}/r/${fields.provider}/…</code>: <code>sms-connector receive urls --show-secrets</code> prints the whole.` : html`Where <code>receive.url</code> is set, <code>sms-connector receive urls</code> prints what to register.`}
        </p>
      </fieldset>
      ${secrets.length ? html`<p class="note warn" role="status">Set in the environment of the workers: ${secrets.map((name, index) => html`${index ? ", " : ""}<code>${name}</code>`)}. What was typed is not kept.</p>` : null}
      <${Message} trouble=${trouble} />
      ${(fields.beyond || []).length ? html`<p class="note">Only in YAML: ${fields.beyond.map((name, index) => html`${index ? ", " : ""}<code>${name}</code>`)}.</p>` : null}
    </div>
    <${Custom} uses=${uses} />
  </section>`
}
