/** The API: one function for reads, one for changes, one hook that looks again. */

import { useEffect, useRef, useState } from "./vendor/preact.js"

/** Where the console stands: `main.js` is at `<base>/s/<digest>/main.js`. */
export const base = new URL("../../", import.meta.url)

/** What the server refused, in its words. */
export class ProblemError extends Error {
  constructor(status, title, detail = {}) {
    super(title)
    this.status = status
    this.detail = detail
  }
}

async function answer(response) {
  const body = response.status === 204 ? null : await response.json().catch(() => null)
  if (response.ok) return body
  throw new ProblemError(response.status, body?.title ?? body?.detail ?? `HTTP ${response.status}`, body ?? {})
}

/** @param {string} path below the console, as `api/overview` */
export async function get(path, { signal } = {}) {
  return answer(await fetch(new URL(path, base), { signal, headers: { "X-Console": "1" } }))
}

/** Change something. `etag`: only if nobody else has meanwhile. */
export async function change(method, path, body, { etag } = {}) {
  const headers = { "X-Console": "1", ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...(etag ? { "If-Match": etag } : {}) }
  return answer(await fetch(new URL(path, base), { method, headers, body: body === undefined ? undefined : JSON.stringify(body) }))
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
        if (error.status === 401) dispatchEvent(new Event("signed-out"))
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
