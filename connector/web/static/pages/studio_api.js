// What Studio asks of the server. Every answer is JSON; what goes wrong is a `Trouble` that a page can show.

import { base } from "../api.js"

const BASE = new URL("api/", base)

/** Why something was not answered: `problems` have places in the text. */
export class Trouble extends Error {
  constructor(title, status = 0, problems = []) {
    super(title)
    this.status = status
    this.problems = problems
  }
}

/** @param {string} path below /api/ */
export async function ask(path, { method = "GET", body, etag, signal } = {}) {
  const headers = { "X-Console": "1" }
  if (body !== undefined) headers["Content-Type"] = "application/json"
  if (etag) headers["If-Match"] = etag
  let response
  try {
    response = await fetch(new URL(path, BASE), { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) })
  } catch (error) {
    if (error.name === "AbortError") throw error
    throw new Trouble("The server does not answer.")
  }
  if (response.status === 204) return { value: null, etag: null }
  if (!response.ok) throw await trouble(response)
  return { value: await response.json(), etag: response.headers.get("ETag") }
}

export const post = (path, body, signal) => ask(path, { method: "POST", body, signal }).then((answer) => answer.value)

async function trouble(response) {
  let told = {}
  try {
    told = await response.json()
  } catch {
    /* a proxy answered */
  }
  return new Trouble(told.title || `HTTP ${response.status}`, response.status, told.problems || [])
}

/** Server-sent events of a POST: `EventSource` can only ask with GET. Calls `on(name, data)` for each. */
export async function stream(path, body, on, signal) {
  const response = await fetch(new URL(path, BASE), {
    method: "POST",
    signal,
    headers: { "X-Console": "1", "Content-Type": "application/json" },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw await trouble(response)
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ""
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return
    const parts = (rest + value).split("\n\n")
    rest = parts.pop()
    for (const part of parts) {
      const name = /^event: (.*)$/m.exec(part),
        data = /^data: (.*)$/m.exec(part)
      if (name && data) on(name[1], JSON.parse(data[1]))
    }
  }
}

/** Characters that do not show, and those that turn text around, as escapes: what a provider says is not trusted. */
export function visible(text) {
  return String(text).replace(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  )
}
