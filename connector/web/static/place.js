/** Where a person is: the address says the page and what is filtered, so that it can be shared and gone back to. */

import { base } from "./api.js"

/** The address below the console: `providers/plivo` is page `providers` with the rest `plivo`. */
export function where() {
  const path = location.pathname.slice(base.pathname.length)
  const [page, ...rest] = path.split("/").map(decoded)
  return { page: page || "overview", rest: rest.filter(Boolean), query: new URLSearchParams(location.search) }
}

function decoded(part) {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

/** Go there without loading anew. Filters stand in the address; numbers never do. */
export function go(to, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", new URL(to, base))
  dispatchEvent(new Event("went"))
}

/** Filter the page that is shown: one step back undoes it. */
export function filter(name, value) {
  const query = new URLSearchParams(location.search)
  if (value) query.set(name, value)
  else query.delete(name)
  if (query.toString() === new URLSearchParams(location.search).toString()) return
  go(`${location.pathname}${query.size ? `?${query}` : ""}`)
}

/** The filters of the address, as a query of the API. */
export const filters = (query, names) => new URLSearchParams(names.map((name) => [name, query.get(name) ?? ""]).filter(([, value]) => value)).toString()

/** Nine digits and nothing but what stands between them: addresses are kept in histories and logs. */
export const isNumber = (text) => /^[\s+()\d.-]+$/.test(text) && text.replace(/\D/g, "").length >= 9
