/** Numbers, times and foreign words, as people read them. No browser. */

import assert from "node:assert/strict"
import { test } from "node:test"
import * as say from "../../connector/web/static/say.js"

const NOW = Date.parse("2026-11-27T12:00:00Z")

test("numbers follow the place of the reader", () => {
  for (const [locale, told] of [["en-GB", "1,234,567"], ["en-IN", "12,34,567"], ["de-DE", "1.234.567"]]) {
    say.settings.locale = locale
    assert.equal(say.number(1_234_567), told)
  }
  say.settings.locale = "en-GB"
})

test("what is not known is a dash, and never zero", () => {
  for (const how of [say.number, say.rate, say.share, say.bytes, say.seconds]) {
    assert.equal(how(null), "–")
    assert.equal(how(undefined), "–")
    assert.notEqual(how(0), "–")
  }
  assert.equal(say.clock(null), "–")
  assert.equal(say.exact(null), "")
})

test("spans are said in one unit or two", () => {
  const told = { 0.41: "410 ms", 0.9998: "1 s", 1.25: "1.3 s", 48: "48 s", 960: "16 min", 13_920: "3 h 52 min", 7180: "2 h", 7200: "2 h", 259_200: "3 d" }
  for (const [value, words] of Object.entries(told)) assert.equal(say.seconds(Number(value)), words)
  for (let value = 1; value < 200_000; value += 7) assert.doesNotMatch(say.seconds(value), /h 60 min|^1,000 ms/, String(value))
})

test("rates, shares, bytes and counts", () => {
  say.settings.locale = "en-GB"
  assert.deepEqual([say.rate(1842), say.rate(0.4), say.rate(0)], ["1,842/s", "0.4/s", "0/s"])
  assert.deepEqual([say.share(0.0137), say.share(1)], ["1.4%", "100%"])
  assert.match(say.bytes(1_234_000), /^1.2 ?MB$/)
  assert.deepEqual([say.count(1, "message"), say.count(12, "message")], ["1 message", "12 messages"])
})

test("times are of the zone, with the day where it is another one", () => {
  for (const [zone, time] of [["Asia/Kolkata", "15:30"], ["UTC", "10:00"]]) {
    say.settings.zone = zone
    assert.equal(say.clock("2026-11-27T10:00:00Z", NOW), time)
  }
  assert.match(say.clock("2026-11-24T10:00:00Z", NOW), /24 Nov.*10:00/)
})

test("what turns or hides text becomes visible, and what is long is cut", () => {
  assert.equal(say.foreign("a\u202eb\u0007c\u200bd"), "a\\u202eb\\u0007c\\u200bd")
  assert.equal(say.foreign("x".repeat(12), 10), `${"x".repeat(10)} … (2 more)`)
  assert.equal(say.foreign("<b>"), "<b>")
})
