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

/** Characters that do not show, and those that turn the direction of others. */
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu
const LINES = /[\t\n]/g
/** Further marks on one character would stand over the lines above and below. */
const STACKED = /(\p{M}{4})\p{M}+/gu

function escape(character) {
  const code = character.codePointAt(0).toString(16)
  return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, "0")}`
}

/** What others say, in lines: what is hidden in it becomes visible. */
export const visible = (text) => String(text).replace(HIDDEN, escape).replace(STACKED, "$1…")

/** What others say, in one line, and cut where it is long. */
export function foreign(text, most = 2000) {
  const shown = visible(String(text).slice(0, 8 * most)).replace(LINES, escape)
  if (shown.length <= most) return shown
  const end = most - (shown.charCodeAt(most - 1) >> 10 === 0x36 ? 1 : 0) // not through a pair of surrogates
  return `${shown.slice(0, end)} … (${number(Math.max(shown.length, String(text).length) - end)} more)`
}
