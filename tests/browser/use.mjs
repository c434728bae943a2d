/** What people do on the pages: by keyboard, with the themes and zones, and what foreign words may not do. */

import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { launch, open, visit } from "./chromium.mjs"

const { CONSOLE: url } = process.env
let browser
before(async () => {
  browser = await launch()
})
after(() => browser.close())

test("g and a letter go to a page, and back comes back", async () => {
  const { context, page } = await open(browser)
  await visit(page, url)
  for (const [key, title] of [["p", "Providers"], ["w", "Workers"], ["t", "Live tail"], ["a", "Audit log"], ["o", "Overview"]]) {
    await page.keyboard.press("g")
    await page.keyboard.press(key)
    await page.waitForFunction((wanted) => document.title.startsWith(wanted), title)
    assert.equal(await page.locator("nav [aria-current=page]").innerText(), title)
    assert.equal(await page.evaluate(() => document.activeElement.id), "main", "the focus is on the page that was gone to")
  }
  await page.goBack()
  await page.waitForFunction(() => document.title.startsWith("Audit log"))
  await context.close()
})

test("? says which keys there are, and none of them acts while somebody types", async () => {
  const { context, page } = await open(browser)
  await visit(page, `${url}tail`)
  await page.keyboard.press("?")
  await page.getByRole("dialog", { name: "Keys" }).getByText("Workers").waitFor()
  await page.keyboard.press("Escape")
  await page.getByRole("dialog").waitFor({ state: "detached" })
  await page.getByLabel("Provider").fill("")
  await page.keyboard.type("gw?")
  assert.equal(await page.getByLabel("Provider").inputValue(), "gw?")
  assert.match(await page.title(), /^Live tail/)
  assert.equal(await page.getByRole("dialog").count(), 0)
  await context.close()
})

test("what needs attention leads to where something can be done about it", async () => {
  const { context, page } = await open(browser)
  await visit(page, url)
  await page.getByRole("link", { name: "See plivo" }).click()
  await page.getByRole("heading", { level: 1, name: "plivo" }).waitFor()
  await page.goBack()
  await page.getByRole("link", { name: "Pause it" }).first().click()
  await page.getByRole("dialog", { name: "Send nothing more to plivo?" }).waitFor()
  await page.keyboard.press("Escape")
  await page.getByRole("dialog").waitFor({ state: "detached" })
  assert.ok(!page.url().includes("?"), "loading the page again asks nothing")
  await context.close()
})

test("all that can be used is reached by Tab, and is seen to be", async () => {
  const { context, page } = await open(browser)
  await visit(page, `${url}providers/plivo`)
  await page.locator(".skip").focus()
  const reached = new Set(["To the page"])
  for (let index = 0; index < 60; index += 1) {
    await page.keyboard.press("Tab")
    const it = await page.evaluate(() => {
      const element = document.activeElement
      if (element === document.body) return null
      const style = getComputedStyle(element)
      return { name: (element.innerText || element.getAttribute("aria-label") || "").split("\n")[0].trim(), outline: style.outlineStyle !== "none" && Number.parseFloat(style.outlineWidth) >= 2 }
    })
    if (it === null) break
    assert.ok(it.outline, `the focus on “${it.name}” is not seen`)
    reached.add(it.name)
  }
  for (const name of ["To the page", "Overview", "Workers", "Dark", "UTC", "Pause …", "Workers of this provider"]) assert.ok(reached.has(name), `${name} is not reached, only ${[...reached].join(", ")}`)
  await context.close()
})

test("the dialog takes the focus, keeps it, wants a reason, and gives it back", async () => {
  const { context, page, refused } = await open(browser)
  await visit(page, `${url}providers/plivo`)
  const button = page.getByRole("button", { name: "Pause …" })
  await button.focus()
  await page.keyboard.press("Enter")
  const dialog = page.getByRole("dialog")
  await dialog.waitFor()
  assert.ok(await dialog.evaluate((it) => it.contains(document.activeElement)))
  await page.keyboard.press("Escape")
  await dialog.waitFor({ state: "detached" })
  assert.equal(await page.evaluate(() => document.activeElement.innerText), "Pause …")
  await page.keyboard.press("Enter")
  await dialog.getByRole("button", { name: "Pause" }).click()
  assert.ok(await dialog.isVisible(), "without a reason nothing is done")
  await dialog.getByRole("textbox").fill("no balance")
  await dialog.getByRole("button", { name: "Pause" }).click()
  await dialog.getByRole("alert").waitFor()
  assert.match(await dialog.getByRole("alert").innerText(), /Kafka does not answer/, "what could not be done is said where it was asked")
  assert.deepEqual(await refused(), [])
  await context.close()
})

test("a theme and a zone that were chosen are kept, and times follow", async () => {
  const { context, page } = await open(browser, { colorScheme: "light" })
  await visit(page, `${url}audit`)
  const time = page.locator("tbody time").first()
  const before = await time.innerText()
  const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)
  const light = await background()
  await page.getByRole("button", { name: "Dark" }).click()
  await page.getByRole("button", { name: "UTC" }).click()
  await page.waitForFunction((was) => document.querySelector("tbody time").innerText !== was, before)
  assert.notEqual(await background(), light)
  const minutes = (text) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3, 5))
  assert.equal((minutes(before) - minutes(await time.innerText()) + 1440) % 1440, 330, "India is five and a half hours ahead")
  await visit(page, `${url}audit`)
  assert.notEqual(await background(), light)
  assert.equal(await page.getByRole("button", { name: "UTC" }).getAttribute("aria-pressed"), "true")
  await context.close()
})

test("what others say is shown and does nothing", async () => {
  const { context, page, refused } = await open(browser)
  page.on("dialog", () => assert.fail("foreign words became script"))
  for (const name of ["overview", "providers/plivo", "audit", "tail"]) {
    await visit(page, url + name)
    await page.getByText("<img src=x onerror=alert(1)>").first().waitFor()
    assert.equal(await page.locator("main img").count(), 0)
    const text = await page.locator("main").innerText()
    assert.ok(!/[\u202a-\u202e\u0000-\u0008]/.test(text), "characters that turn or hide text are shown as escapes")
  }
  assert.deepEqual(await refused(), [])
  await context.close()
})

test("results come, stop where they are, and go on; a filter holds", async () => {
  const { context, page } = await open(browser)
  await visit(page, `${url}tail`)
  await page.locator("tbody tr").nth(3).waitFor()
  await page.getByRole("button", { name: "Stop" }).click()
  await page.waitForTimeout(400) // what was on its way
  const stopped = await page.locator("tbody tr").count()
  await page.waitForTimeout(700)
  assert.equal(await page.locator("tbody tr").count(), stopped)
  await page.getByRole("button", { name: "Go on" }).click()
  await page.waitForFunction((many) => document.querySelectorAll("tbody tr").length > many, stopped)
  await page.getByLabel("Status").selectOption("rejected")
  await page.waitForFunction(() => [...document.querySelectorAll("tbody tr")].length > 2 && [...document.querySelectorAll("tbody tr td:nth-child(2)")].slice(0, 2).every((it) => it.innerText.trim() === "rejected"))
  assert.ok(!/\d{6,}/.test(await page.locator("tbody").innerText()), "numbers are masked")
  await context.close()
})

test("the curves can be read as a table, and the range is chosen", async () => {
  const { context, page } = await open(browser)
  await visit(page, url)
  await page.locator(".chart canvas").first().waitFor()
  await page.getByRole("button", { name: "As table" }).click()
  await page.getByRole("group", { name: "Messages per second" }).getByRole("row").nth(20).waitFor()
  const answer = page.waitForResponse((it) => it.url().includes("range=15m"))
  await page.getByRole("button", { name: "15 min" }).click()
  assert.equal((await answer).status(), 200)
  await context.close()
})

test("a page that is not there, and a provider that is not, say so", async () => {
  const { context, page } = await open(browser)
  await page.goto(`${url}nothing/here`)
  await page.getByText("There is no such page.").waitFor()
  await visit(page, `${url}providers/nobody`)
  await page.getByText("no worker that answers has this provider").waitFor()
  await context.close()
})
