/** On a real Kafka with real workers: a provider is paused, both obey, messages wait, it is resumed, they are sent. */

import assert from "node:assert/strict"
import { writeFileSync } from "node:fs"
import { after, before, test } from "node:test"
import { launch, open, visit } from "./chromium.mjs"

const { CONSOLE: url, STEP: step, SEEN: seen } = process.env
let browser
before(async () => {
  browser = await launch()
})
after(() => browser.close())

async function steer(page, button, reason) {
  await visit(page, `${url}providers/sick`)
  await page.getByRole("button", { name: `${button} …` }).click()
  await page.getByRole("dialog").getByRole("textbox").fill(reason)
  await page.getByRole("dialog").getByRole("button", { name: button }).click()
  await page.getByRole("dialog").waitFor({ state: "detached" })
}

const STEPS = {
  async pause(page) {
    await visit(page, url)
    await page.getByRole("heading", { name: "Nothing waits: whatever came has its result." }).first().waitFor()
    await steer(page, "Pause", "sender id under review")
    await page.getByText("sick is paused.").first().waitFor()
    await page.getByText("2 of 2 workers").first().waitFor()
    await page.getByText("“sender id under review”").first().waitFor()
  },
  async resume(page) {
    await visit(page, url)
    await page.getByText("200 messages wait").first().waitFor()
    await page.getByRole("link", { name: "sick", exact: true }).first().waitFor()
    await page.getByText("paused", { exact: true }).first().waitFor()
    await visit(page, `${url}workers`)
    await page.getByText("provider sick is paused").first().waitFor({ timeout: 60_000 })
    const watching = await page.context().newPage()
    await watching.goto(`${url}tail`)
    await watching.getByText(/In the last second/).first().waitFor()
    await steer(page, "Resume", "approved")
    await watching.locator("tbody tr").first().waitFor()
    assert.match(await watching.locator("tbody tr").first().innerText(), /accepted[\s\S]*sick[\s\S]*\*\d\d/)
    await visit(page, `${url}audit`)
    await page.locator("tbody tr").nth(1).waitFor()
    assert.equal(await page.locator("tbody tr").count(), 2, "a deed is one row, and its two records agree")
    assert.match(await page.locator("tbody").innerText(), /provider\.resume[\s\S]*approved[\s\S]*provider\.pause[\s\S]*sender id under review/)
    await visit(page, url)
    await page.getByRole("heading", { name: /^(Sending|Nothing waits)/ }).first().waitFor()
  },
  async away(page) {
    // Somebody asks while Kafka is there, and somebody once it is not: nobody is told that anything was done.
    const button = page.getByRole("button", { name: "Pause …" })
    await visit(page, `${url}providers/sick`)
    const dialog = page.getByRole("dialog")
    await button.click()
    await dialog.getByRole("textbox").fill("no balance")
    writeFileSync(seen, "asked")
    await page.getByText("Kafka does not answer").first().waitFor({ state: "attached", timeout: 90_000 })
    await dialog.getByRole("button", { name: "Pause" }).click()
    await dialog.getByRole("alert").getByText("Kafka does not answer").waitFor()
    assert.equal(await dialog.getByRole("textbox").inputValue(), "no balance", "what was written stays")
    await page.keyboard.press("Escape")
    assert.ok(await button.isDisabled(), "what Kafka could not take is not offered")
    assert.match(await button.getAttribute("title"), /Kafka does not answer/)
    await page.getByText("nothing can be changed meanwhile").first().waitFor()
    writeFileSync(seen, "refused")
    // The page comes back by itself.
    await page.getByText("nothing can be changed meanwhile").first().waitFor({ state: "detached", timeout: 120_000 })
    await button.click()
    await dialog.getByRole("textbox").fill("no balance")
    await dialog.getByRole("button", { name: "Pause" }).click()
    await page.getByText("sick is paused.").first().waitFor()
  },
  async silent(page) {
    await visit(page, `${url}workers`)
    await page.getByText("silent", { exact: true }).first().waitFor()
    await page.getByRole("heading", { name: /1 is silent/ }).first().waitFor()
    await visit(page, url)
    await page.getByText(/does not answer: .* Figures are without it/).first().waitFor()
  },
}

test(step, async () => {
  const { context, page, refused } = await open(browser)
  page.setDefaultTimeout(45_000)
  await STEPS[step](page)
  assert.deepEqual(await refused(), [])
  await context.close()
})
