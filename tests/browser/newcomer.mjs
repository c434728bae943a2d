/** Somebody with nothing but the curl line of a provider's documentation, until their first message is accepted. */

import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { launch, open, violations, visit } from "./chromium.mjs"

const { CONSOLE: url, STEP: step, CURL: curl, NAME: name } = process.env
let browser
before(async () => {
  browser = await launch()
})
after(() => browser.close())

const STEPS = {
  async write(page) {
    await visit(page, `${url}studio`)
    await page.getByLabel("Command").fill(curl)
    await page.getByRole("button", { name: "Read it" }).click()
    await page.getByRole("button", { name: `Go on with ${name}` }).click()
    // What this fake needs and no provider does: it is on this machine.
    await page.getByRole("textbox", { name: "Definition, YAML" }).click()
    await page.keyboard.press("Control+End")
    await page.keyboard.type("http: {private_hosts: true}\n")
    await page.locator("pre.req mark", { hasText: "919812345671" }).waitFor()
    await page.getByLabel("Body").fill('{"status": "accepted", "id": "g17a2b3c4"}')
    await page.getByRole("button", { name: "status == 'accepted' → accept" }).click()
    await page.locator("table.out code", { hasText: "response.rules[0]" }).waitFor()
    await page.getByRole("button", { name: "Run 1,000 events" }).click()
    await page.getByText("1,000 accepted, none taken twice").first().waitFor()
    assert.deepEqual(await violations(page), [])
    await page.getByRole("button", { name: "Save", exact: true }).click()
    await page.getByText(`Saved as ${name}.yaml`).waitFor()
  },
  async send(page) {
    await visit(page, `${url}studio?open=${name}`)
    const panel = page.locator("section[aria-labelledby=st-first]")
    await panel.getByRole("button", { name: "Send it" }).click()
    await panel.locator(".st.ok", { hasText: "accepted" }).waitFor()
    assert.ok(!(await panel.innerText()).includes("98123456"), "the number is masked")
  },
}

test(step, async (t) => {
  const { context, page, refused } = await open(browser)
  page.setDefaultTimeout(60_000)
  const began = performance.now()
  await STEPS[step](page)
  t.diagnostic(`${step}: ${((performance.now() - began) / 1000).toFixed(1)} s`)
  assert.deepEqual(await refused(), [])
  await context.close()
})
