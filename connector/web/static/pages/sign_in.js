/** Who asks has to say so first. */

import { ask } from "../api.js"
import { Icon } from "../icons.js"
import { html, useId, useState } from "../vendor/preact.js"

export function SignIn({ kind, onSignedIn }) {
  const [error, setError] = useState("")
  const id = useId()
  async function send(event) {
    event.preventDefault()
    setError("")
    try {
      await ask("api/session", { method: "POST", body: { token: new FormData(event.target).get("token") } })
      onSignedIn()
    } catch (problem) {
      setError(problem.message)
    }
  }
  return html`<main class="empty" id="main">
    <div class="brand"><${Icon} name="brand" /><h1>SMS Connector</h1></div>
    ${kind === "tokens"
      ? html`<form class="card" onSubmit=${send}><div class="body empty">
          <label for=${id}>Your access token</label>
          <input id=${id} name="token" type="password" autocomplete="current-password" required autofocus aria-describedby="${id}e" aria-invalid=${error ? "true" : undefined} />
          <p id="${id}e" class="bad-text" role="alert">${error}</p>
          <button class="first">Sign in</button>
        </div></form>`
      : html`<p>Sign in at the proxy in front of this console, then load the page again.</p>`}
  </main>`
}
