/** The API: questions and changes, streams, and one hook that looks again. */

import { useEffect, useRef, useState } from "./vendor/preact.js"

/** Where the console stands: `main.js` is at `<base>/s/<digest>/main.js`. */
export const base = new URL("../../", import.meta.url)

/** What was refused, in the server's words; `problems` have places in the text that was asked about. */
export class ProblemError extends Error {
  constructor(title, status = 0, told = {}) {
    super(title)
    this.status = status
    this.signIn = told.sign_in || "tokens"
    this.problems = told.problems ?? []
  }
}

/** Of these no session is needed: they are how the page learns that there is none. */
const OPEN = new Set(["api/me", "api/session"])

async function fetched(path, { method = "GET", body, etag, signal } = {}) {
  const headers = { "X-Console": "1" }
  if (body !== undefined) headers["Content-Type"] = "application/json"
  if (etag) headers["If-Match"] = etag
  let response
  try {
    response = await fetch(new URL(path, base), { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) })
  } catch (error) {
    if (error.name === "AbortError") throw error
    throw new ProblemError("The console does not answer.")
  }
  if (response.ok) return response
  if (response.status === 401 && !OPEN.has(path)) dispatchEvent(new Event("signed-out"))
  // What is no JSON was said by something in between.
  const told = (await response.json().catch(() => null)) ?? {}
  throw new ProblemError(told.title || `HTTP ${response.status}`, response.status, told)
}

/**
 * Ask, or change something. `etag`: only if nobody else has meanwhile.
 * @param {string} path below the console, as `api/overview`
 * @returns {Promise<{value: any, etag: string|null}>}
 */
export async function ask(path, options) {
  const response = await fetched(path, options)
  return { value: response.status === 204 ? null : await response.json(), etag: response.headers.get("ETag") }
}

export const get = (path, options) => ask(path, options).then((answer) => answer.value)
export const post = (path, body, signal) => ask(path, { method: "POST", body, signal }).then((answer) => answer.value)

/** Server-sent events of a POST: `EventSource` can only ask with GET. Calls `on(name, data)` for each. */
export async function stream(path, body, on, signal) {
  const response = await fetched(path, { method: "POST", body, signal })
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ""
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return
    const parts = (rest + value).split("\n\n")
    rest = parts.pop()
    for (const part of parts) {
      const name = /^event: (.*)$/m.exec(part)
      const data = /^data: (.*)$/m.exec(part)
      if (name && data) on(name[1], JSON.parse(data[1]))
    }
  }
}

/**
 * What `path` answers, looked at again every `every` milliseconds while the page is seen.
 * While it fails the last answer stays, with the error beside it.
 */
export function useLook(path, every = 2000) {
  const [state, set] = useState({ data: null, error: null, at: 0 })
  const again = useRef(() => {})
  useEffect(() => {
    const stop = new AbortController()
    let timer
    async function look() {
      clearTimeout(timer)
      try {
        const data = await get(path, { signal: stop.signal })
        set({ data, error: null, at: Date.now() })
      } catch (error) {
        if (stop.signal.aborted) return
        set((before) => ({ ...before, error }))
      }
      if (!document.hidden && !stop.signal.aborted) timer = setTimeout(look, every)
    }
    const seen = () => document.hidden || look()
    again.current = look
    document.addEventListener("visibilitychange", seen)
    look()
    return () => {
      stop.abort()
      clearTimeout(timer)
      document.removeEventListener("visibilitychange", seen)
    }
  }, [path, every])
  return { ...state, again: () => again.current() }
}
