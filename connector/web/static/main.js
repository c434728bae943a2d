/** The shell: who is here, where they are, and the page they see. */

import { ask, base, get } from "./api.js"
import { Icon } from "./icons.js"
import { Choice, Link, Tell } from "./parts.js"
import { go, where } from "./place.js"
import { settings } from "./say.js"
import { SignIn } from "./pages/sign_in.js"
import { html, render, useEffect, useErrorBoundary, useRef, useState } from "./vendor/preact.js"

/** Page → its title, key after `g`, and module: loaded when it is opened. */
const PAGES = {
  overview: { title: "Overview", key: "o", load: () => import("./pages/overview.js") },
  providers: { title: "Providers", key: "p", load: () => import("./pages/providers.js") },
  studio: { title: "Studio", key: "s", load: () => import("./pages/studio.js") },
  tail: { title: "Live tail", key: "t", load: () => import("./pages/tail.js") },
  workers: { title: "Workers", key: "w", load: () => import("./pages/workers.js") },
  audit: { title: "Audit log", key: "a", load: () => import("./pages/audit.js") },
}

const remembered = (name, fallback) => {
  try {
    return localStorage.getItem(name) ?? fallback
  } catch {
    return fallback
  }
}
const remember = (name, value) => {
  try {
    localStorage.setItem(name, value)
  } catch {
    // Private windows may refuse; then it lasts as long as the page.
  }
}

function App() {
  const [me, setMe] = useState(undefined)
  const [place, setPlace] = useState(where)
  const [theme, setTheme] = useState(() => remembered("theme", "auto"))
  const [zone, setZone] = useState(() => remembered("zone", "own"))

  const look = () => get("api/me").then(setMe, (error) => setMe(error.status === 401 ? { signIn: error.signIn } : { error }))
  useEffect(() => {
    look()
    const went = () => setPlace(where())
    const out = () => look()
    addEventListener("popstate", went)
    addEventListener("went", went)
    addEventListener("signed-out", out)
    return () => {
      removeEventListener("popstate", went)
      removeEventListener("went", went)
      removeEventListener("signed-out", out)
    }
  }, [])
  useEffect(() => {
    document.documentElement.dataset.theme = theme
    remember("theme", theme)
  }, [theme])
  useEffect(() => remember("zone", zone), [zone])

  if (me === undefined) return html`<p class="empty" role="status">Loading …</p>`
  if (me.error) return html`<div class="empty"><strong>The console does not answer.</strong><p>${me.error.message}</p><button onClick=${look}>Try again</button></div>`
  if (me.signIn) return html`<${SignIn} kind=${me.signIn} onSignedIn=${look} />`
  settings.zone = zone === "utc" ? "UTC" : me.time_zone || "UTC"
  return html`<${Shell} me=${me} place=${place} theme=${theme} setTheme=${setTheme} zone=${zone} setZone=${setZone} onSignOut=${look} />`
}

function Shell({ me, place, theme, setTheme, zone, setZone, onSignOut }) {
  const pages = me.pages.filter((name) => PAGES[name])
  const page = pages.includes(place.page) ? place.page : place.page === "overview" ? pages[0] : null
  const title = page ? PAGES[page].title : "Not found"
  const main = useRef(null)
  const [helping, setHelping] = useState(false)
  useKeys(pages, () => setHelping(true))
  useEffect(() => {
    document.title = `${title} · SMS Connector`
  }, [title])
  useEffect(() => {
    main.current?.focus({ preventScroll: true })
    // On a narrow screen the pages stand in a row that is longer than it.
    document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" })
  }, [place.page, place.rest.join("/")])
  return html`
    <a class="skip" href="#main">To the page</a>
    <div class="shell" onClick=${follow}>
      <nav class="side" aria-label="Pages">
        <div class="brand"><${Icon} name="brand" /><span>SMS Connector</span></div>
        ${pages.map((name) => html`<${Link} key=${name} to=${name} class="place" aria-current=${name === page ? "page" : undefined}><${Icon} name=${name} />${PAGES[name].title}<//>`)}
      </nav>
      <div>
        <header class="top">
          ${me.environment && html`<span class="chip">${me.environment}</span>`}
          <div class="end">
            ${me.time_zone && me.time_zone !== "UTC" && html`<${Choice} label="Time zone" value=${zone} onChoose=${setZone} options=${[["own", me.time_zone.split("/").pop().replace("_", " ")], ["utc", "UTC"]]} />`}
            <${Choice} label="Theme" value=${theme} onChoose=${setTheme} options=${[["auto", "Auto"], ["light", "Light"], ["dark", "Dark"]]} />
            <span class="soft who">${me.name} · ${me.role}</span>
            ${me.auth === "tokens" && html`<button onClick=${() => ask("api/session", { method: "DELETE" }).then(onSignOut, onSignOut)}>Sign out</button>`}
          </div>
        </header>
        <main id="main" tabindex="-1" ref=${main}>
          ${page ? html`<${Page} key=${page} name=${page} place=${place} me=${me} />` : html`<div class="empty"><strong>There is no such page.</strong><${Link} to=${pages[0]}>${PAGES[pages[0]].title}<//></div>`}
        </main>
      </div>
    </div>
    ${helping && html`<${Tell} title="Keys" onClose=${() => setHelping(false)}><dl class="keys">${pages.map((name) => html`<dt key=${name}><kbd>g</kbd> <kbd>${PAGES[name].key}</kbd></dt><dd>${PAGES[name].title}</dd>`)}<dt><kbd>/</kbd></dt><dd>The first filter of a page</dd><dt><kbd>?</kbd></dt><dd>These keys</dd></dl><//>`}`
}

function Page({ name, place, me }) {
  const [module, setModule] = useState(null)
  const [error] = useErrorBoundary()
  useEffect(() => {
    PAGES[name].load().then(setModule, (problem) => setModule({ problem }))
  }, [name])
  if (error || module?.problem) return html`<div class="empty" role="alert"><strong>This page has failed.</strong><p>${String((error ?? module.problem).message)}</p><button onClick=${() => location.reload()}>Load it again</button></div>`
  if (module === null) return html`<p class="empty" role="status">Loading …</p>`
  return html`<${module.default} me=${me} rest=${place.rest} query=${place.query} />`
}

/** A click on a link to a page of ours changes the page without loading anew. */
function follow(event) {
  const link = event.target.closest?.("a[href]")
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || link.target) return
  const url = new URL(link.href)
  if (url.origin !== location.origin || !url.pathname.startsWith(base.pathname) || url.hash) return
  event.preventDefault()
  go(url)
}

/** `g o` … `g w` go to a page, `/` to its first filter, `?` says so; nothing while somebody types. */
function useKeys(pages, onHelp) {
  const known = pages.join()
  useEffect(() => {
    let began = 0
    function pressed(event) {
      if (event.metaKey || event.ctrlKey || event.altKey || event.target.closest?.("input, textarea, select, [contenteditable], dialog")) return
      const found = event.timeStamp - began < 1500 && pages.find((name) => PAGES[name].key === event.key)
      began = event.key === "g" ? event.timeStamp : 0
      const first = event.key === "/" && document.querySelector("main [data-find=true]")
      if (found) go(found)
      else if (event.key === "?") onHelp()
      else if (first) {
        event.preventDefault() // browsers have a search of their own under this key, and it is no part of the filter
        first.focus()
      }
    }
    addEventListener("keydown", pressed)
    return () => removeEventListener("keydown", pressed)
  }, [known])
}

// The page comes while it is asked who is here.
PAGES[where().page]?.load().catch(() => null)
render(html`<${App} />`, document.body)
