/** Numbers, times and sizes as people read them. Pure: the locale and the zone come as arguments or from `settings`. */

export const settings = { locale: undefined, zone: "UTC" }

const cache = new Map()

function format(kind, options) {
  const key = `${kind}${settings.locale}${settings.zone}${JSON.stringify(options)}`
  let found = cache.get(key)
  if (found === undefined) {
    found = kind === "number" ? new Intl.NumberFormat(settings.locale, options) : new Intl.DateTimeFormat(settings.locale, { timeZone: settings.zone, ...options })
    cache.set(key, found)
  }
  return found
}

/** @param {number|null|undefined} value */
export function number(value) {
  return value === null || value === undefined ? "–" : format("number", { maximumFractionDigits: 0 }).format(value)
}

/** Messages a second: `1,842/s`, `0.4/s`. */
export function rate(value) {
  if (value === null || value === undefined) return "–"
  const digits = value > 0 && value < 10 ? 1 : 0
  return `${format("number", { maximumFractionDigits: digits }).format(value)}/s`
}

/** A fraction as `1.4%`. */
export function share(value) {
  return value === null || value === undefined ? "–" : format("number", { style: "percent", maximumFractionDigits: 1 }).format(value)
}

/** `1.2 MB`. */
export function bytes(value) {
  if (value === null || value === undefined) return "–"
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"]
  let index = 0
  while (value >= 1000 && index < units.length - 1) {
    value /= 1000
    index += 1
  }
  return format("number", { style: "unit", unit: units[index], unitDisplay: "short", maximumFractionDigits: value < 10 && index > 0 ? 1 : 0 }).format(value)
}

/** A span of seconds, in its largest unit or two: `48 s`, `16 min`, `3 h 52 min`, `410 ms`. */
export function seconds(value) {
  if (value === null || value === undefined) return "–"
  if (value < 0.9995) return `${number(value * 1000)} ms`
  if (value < 90) return `${format("number", { maximumFractionDigits: value < 10 ? 1 : 0 }).format(value)} s`
  if (value < 5400) return `${number(Math.round(value / 60))} min`
  const all = Math.round(value / 60)
  const [hours, minutes] = [Math.floor(all / 60), all % 60]
  if (hours < 48) return minutes ? `${number(hours)} h ${minutes} min` : `${number(hours)} h`
  return `${number(Math.round(value / 86400))} d`
}

/** The time of day of an instant: `14:08`; with the day where it is another one. @param {string|null} instant */
export function clock(instant, now = Date.now()) {
  if (!instant) return "–"
  const at = new Date(instant)
  const day = { year: "numeric", month: "2-digit", day: "2-digit" }
  const same = format("date", day).format(at) === format("date", day).format(now)
  return format("date", same ? { hour: "2-digit", minute: "2-digit", hourCycle: "h23" } : { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(at)
}

/** The time of day with seconds. @param {string|null} instant */
export function second(instant) {
  return instant ? format("date", { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }).format(new Date(instant)) : "–"
}

/** All of an instant, for a title. */
export function exact(instant) {
  return instant ? format("date", { dateStyle: "medium", timeStyle: "long" }).format(new Date(instant)) : ""
}

/** How long ago, or in how long. */
export function ago(instant, now = Date.now()) {
  return instant ? seconds(Math.abs(now - Date.parse(instant)) / 1000) : "–"
}

/** `1 message`, `12 messages`. */
export function count(value, one, many = `${one}s`) {
  return `${number(value)} ${value === 1 ? one : many}`
}

/**
 * What others say, shown as it is: control characters and those that turn the direction of text become visible, and what
 * is long is cut.
 */
export function foreign(text, most = 2000) {
  const shown = String(text).replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g, (it) => `\\u${it.charCodeAt(0).toString(16).padStart(4, "0")}`)
  return shown.length > most ? `${shown.slice(0, most)} … (${number(shown.length - most)} more)` : shown
}
