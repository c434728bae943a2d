/** What others write on every page: scripts, characters that turn or hide text, ten thousand without a space, stacked marks. */

import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { drawn, launch, open, sideways, visit } from "./chromium.mjs"
import { makeRule } from "./studio_steps.mjs"

const { CONSOLE: url } = process.env
const SCRIPT = "<img src=x onerror=alert(1)><script>alert(2)</script>"
const TURNED = "\u202egnp.exe\u2066\u200f\u0007\u001b[31m\u2028"
const ENDLESS = "W".repeat(10_000)
const STACKED = `Z${"\u0337\u0322\u031b\u0352".repeat(30)}`
const FLAGS = "👩‍👩‍👧🏳️‍🌈".repeat(12)
const HOSTILE = SCRIPT + TURNED + STACKED + FLAGS + ENDLESS
const HIGHEST = { 320: 900, 1440: 260 }

let browser
before(async () => {
  browser = await launch()
})
after(() => browser.close())

/** What foreign words have done to a page: nothing. */
async function harm(page) {
  const found = []
  for (const width of [320, 1440]) {
    await page.setViewportSize({ width, height: 900 })
    await drawn(page)
    found.push(...(await sideways(page)).map((it) => `${width} px: goes sideways: ${it}`))
    const high = await page.evaluate((most) => [...document.querySelectorAll("main :is(tr, li, h1, .banner)")].filter((it) => it.getBoundingClientRect().height > most).map((it) => `${it.tagName} is ${Math.round(it.getBoundingClientRect().height)} px high: “${it.innerText.slice(0, 40)}”`), HIGHEST[width])
    found.push(...high.map((it) => `${width} px: ${it}`))
  }
  // The editor has empty pictures of its own beside what it shows in place of a character.
  const made = await page.evaluate(() => document.querySelectorAll("main :is(img:not(.cm-widgetBuffer), script, iframe, object, [onerror])").length)
  if (made) found.push(`${made} elements were made of words`)
  const text = await page.evaluate(() => [...document.querySelectorAll("main *")].filter((it) => !it.closest("textarea")).flatMap((it) => [...it.childNodes]).filter((it) => it.nodeType === Node.TEXT_NODE).map((it) => it.data).join("\n"))
  const hidden = text.match(/[\u0000-\u0008\u000e-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g)
  if (hidden) found.push(`characters that are not seen: ${[...new Set(hidden)].map((it) => it.charCodeAt(0).toString(16))}`)
  // Lines of the editor hold what stands over them.
  const stacked = await page.evaluate(() => [...document.querySelectorAll("main *")].filter((it) => !it.closest("textarea, .cm-line")).flatMap((it) => [...it.childNodes]).some((it) => it.nodeType === Node.TEXT_NODE && /\p{M}{6}/u.test(it.data)))
  if (stacked) found.push("marks are stacked over other lines")
  return found
}

/** Whether the policy holds: what would make markup of a text is refused by the browser itself. */
const enforced = (page) =>
  page.evaluate(async () => {
    const told = {}
    // Of its own accord: what the debugger calls may do it.
    told.eval = await new Promise((done) => setTimeout(() => {
      try {
        done(`${(0, eval)("'is done'")}`)
      } catch (error) {
        done(error.name)
      }
    }))
    for (const [name, attempt] of Object.entries({
      innerHTML: () => { document.createElement("p").innerHTML = "<b>x</b>" },
      write: () => document.write("x"),
      source: () => { document.createElement("script").src = "x.js" },
      policy: () => trustedTypes.createPolicy("x", {}),
    })) {
      try {
        attempt()
        told[name] = "is done"
      } catch (error) {
        told[name] = error.name
      }
    }
    return told
  })

for (const name of ["overview", "providers", "providers/plivo", "tail", "workers", "audit"]) {
  test(`on ${name} the words of others are words`, async () => {
    const { context, page, refused } = await open(browser)
    page.on("dialog", () => assert.fail("foreign words became script"))
    await visit(page, url + name)
    if (name === "tail") {
      await page.locator("tbody tr").nth(6).waitFor()
      await page.getByRole("button", { name: "Stop" }).click()
    }
    if (name !== "providers") await page.getByText("<img src=x onerror=alert(1)>").first().waitFor()
    assert.deepEqual([...(await harm(page)), ...(await refused())], [])
    const told = await enforced(page)
    for (const [what, happened] of Object.entries(told)) assert.ok(["TypeError", "EvalError"].includes(happened), `${what} ${happened}`)
    await context.close()
  })
}

test("in Studio a draft, events and a reply of somebody else are words", async () => {
  const { context, page, refused } = await open(browser)
  page.on("dialog", () => assert.fail("foreign words became script"))
  await visit(page, `${url}studio`)
  const words = JSON.stringify(HOSTILE)
  await page.getByLabel("Command").fill(`curl https://sms.example.com/send -H 'Content-Type: application/json' -d '{"messages": [{"to": "+919812345678", "text": "Hello", "note": ${words.replaceAll("'", "")}}]}'`)
  await page.getByRole("button", { name: "Read it" }).click()
  await page.getByRole("button", { name: /^Go on with / }).click()
  await page.locator("pre.req", { hasText: "919812345671" }).waitFor()
  assert.deepEqual(await harm(page), [])
  await makeRule(page, JSON.stringify({ status: "accepted", id: HOSTILE, error: HOSTILE }))
  assert.deepEqual(await harm(page), [])
  await page.getByRole("button", { name: "Edit the events" }).click()
  await page.getByLabel("Events", { exact: false }).first().fill(JSON.stringify([{ message_id: HOSTILE, to: "+919812345671", campaign_id: HOSTILE, body: HOSTILE }, { message_id: "m2", to: HOSTILE }]))
  await page.getByText("invalid", { exact: true }).first().waitFor()
  assert.deepEqual(await harm(page), [])
  await page.getByLabel("Body").fill(HOSTILE)
  await page.getByLabel("Name of the definition").fill(HOSTILE.slice(0, 300))
  assert.deepEqual([...(await harm(page)), ...(await refused())], [])
  await context.close()
})
