/** Somebody with nothing but the curl line of a provider's documentation, until their first message is accepted. */

import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { launch, open, violations, visit } from "./chromium.mjs"
import { append, makeRule, readCurl } from "./studio_steps.mjs"

const { CONSOLE: url, STEP: step, CURL: curl, NAME: name } = process.env
let browser
before(async () => {
  browser = await launch()
})
after(() => browser.close())

const STEPS = {
  async write(page) {
    await visit(page, `${url}studio`)
    await readCurl(page, curl)
    // What this fake needs and no provider does: it is on this machine.
    await append(page, "http: {private_hosts: true}\n")
    await page.locator("pre.req mark", { hasText: "919812345671" }).waitFor()
    await makeRule(page)
    await page.getByRole("button", { name: "Run 1,000 events" }).click()
    await page.getByText("1,000 accepted, none taken twice").first().waitFor()
    assert.deepEqual(await violations(page), [])
    await page.getByRole("button", { name: "Save", exact: true }).click()
    await page.getByText(`Saved as ${name}.yaml`).waitFor()
  },
  async send(page) {
    await visit(page, `${url}studio?open=${name}`)
    const panel = page.getByRole("region", { name: "First message" })
    await panel.getByRole("button", { name: "Send it" }).click()
    await panel.locator(".state.good", { hasText: "accepted" }).waitFor()
    assert.ok(!(await panel.innerText()).includes("98123456"), "the number is masked")
  },
}

test(step, async (t) => {
  const { context, page, refused } = await open(browser)
  page.setDefaultTimeout(60_000)
  let clicks = 0
  await page.exposeFunction("clicked", () => (clicks += 1))
  await page.addInitScript(() => addEventListener("click", (event) => event.isTrusted && globalThis.clicked(), true))
  const began = performance.now()
  await STEPS[step](page)
  t.diagnostic(`${step}: ${((performance.now() - began) / 1000).toFixed(1)} s, ${clicks} clicks`)
  assert.deepEqual(await refused(), [])
  await context.close()
})
