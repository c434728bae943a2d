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
  await page.keyboard.type("gw?/")
  await page.locator("tbody tr").nth(3).waitFor() // and what comes meanwhile takes nothing of it away
  assert.equal(await page.getByLabel("Provider").inputValue(), "gw?/")
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

test("filters stand in the address: a link brings them, back undoes them, and other pages are without", async () => {
  const { context, page } = await open(browser)
  const provider = page.getByLabel("Provider")
  const shown = (column, words, rows = 3) => page.waitForFunction(([at, wanted, least]) => {
    const cells = [...document.querySelectorAll(`tbody tr > :nth-child(${at})`)].map((it) => it.innerText.split("\n")[0].trim())
    return cells.length >= least && cells.every((it) => it === wanted)
  }, [column, words, rows])
  await visit(page, `${url}tail?status=rejected`)
  assert.equal(await page.getByLabel("Status").inputValue(), "rejected")
  await shown(2, "rejected")
  await page.keyboard.press("/")
  assert.ok(await provider.evaluate((it) => it === document.activeElement), "the key / goes to the filter")
  await page.keyboard.type("twilio-otp")
  await page.keyboard.press("Enter")
  await page.waitForURL(`${url}tail?status=rejected&provider=twilio-otp`)
  await shown(3, "twilio-otp")
  await page.goBack()
  await page.waitForURL(`${url}tail?status=rejected`)
  assert.equal(await provider.inputValue(), "")
  await page.waitForFunction(() => [...document.querySelectorAll("tbody tr td:nth-child(3)")].some((it) => it.innerText.trim() === "msg91"))
  await page.goForward()
  await shown(3, "twilio-otp")

  await visit(page, `${url}audit`)
  await page.locator("tbody tr").nth(3).waitFor()
  await page.keyboard.press("/")
  await page.keyboard.type("mira")
  await page.keyboard.press("Enter")
  await page.waitForURL(`${url}audit?who=mira`)
  await shown(2, "mira", 2)
  await page.getByRole("combobox", { name: /^What/ }).selectOption("definition")
  await page.waitForURL(`${url}audit?who=mira&what=definition`)
  await shown(3, "definition.save", 1)
  await page.goBack()
  await page.goBack()
  await page.locator("tbody tr").nth(3).waitFor()
  assert.equal(page.url(), `${url}audit`)
  await context.close()
})

test("a phone number does not come into an address", async () => {
  const { context, page } = await open(browser)
  const asked = []
  page.on("request", (request) => asked.push(request.url()))
  await visit(page, `${url}tail`)
  for (const number of ["+919812345678", "98123 45678", "(0)9812-345-678"]) {
    await page.getByLabel("Campaign").fill(number)
    await page.keyboard.press("Enter")
    await page.getByRole("alert").getByText("No phone numbers").waitFor()
  }
  assert.equal(page.url(), `${url}tail`)
  await page.getByLabel("Campaign").fill("diwali")
  await page.keyboard.press("Enter")
  await page.waitForURL(`${url}tail?campaign=diwali`)
  await page.getByRole("alert").waitFor({ state: "detached" })
  assert.deepEqual(asked.filter((it) => /98123/.test(decodeURIComponent(it).replace(/\D/g, ""))), [])
  await context.close()
})

test("providers, workers and partitions are found by their names", async () => {
  const { context, page } = await open(browser)
  await visit(page, `${url}workers?find=worker-1`)
  const workers = page.getByRole("group", { name: "Workers" }).locator("tbody tr")
  await workers.first().waitFor()
  assert.equal(await workers.count(), 1)
  await page.getByLabel("Worker or partition").fill("nobody")
  await page.keyboard.press("Enter")
  await page.getByText("No worker is called so.").waitFor()
  await visit(page, `${url}providers?find=TWILIO`)
  await page.getByRole("link", { name: "twilio-otp" }).waitFor()
  assert.equal(await page.locator("tbody tr").count(), 1)
  await context.close()
})

test("Studio is gone through by keyboard alone, and the editor lets go", async () => {
  const { context, page } = await open(browser)
  await visit(page, `${url}studio`)
  const focused = () => page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? document.activeElement.innerText?.trim() ?? "")
  async function tabTo(name) {
    const reached = []
    for (let index = 0; index < 40; index += 1) {
      reached.push(await focused())
      if (reached.at(-1).startsWith(name)) return
      await page.keyboard.press("Tab")
    }
    assert.fail(`${name} is not reached by Tab, but ${reached.map((it) => it.slice(0, 40)).join(" | ")}`)
  }
  await page.getByLabel("Command").focus()
  await page.keyboard.insertText("curl https://sms.example.com/send -d to=+919812345678 -d text=Hello")
  await tabTo("Read it")
  await page.keyboard.press("Enter")
  await page.getByRole("button", { name: /^Go on with / }).waitFor()
  await tabTo("Go on with")
  await page.keyboard.press("Enter")
  await page.getByRole("textbox", { name: "Definition, YAML" }).waitFor()
  await tabTo("Definition, YAML")
  await page.keyboard.press("Control+End")
  await page.keyboard.type("# seen")
  await page.keyboard.press("Tab")
  assert.ok(!(await focused()).startsWith("Definition"), "Tab leaves the editor")
  await page.waitForFunction(() => [...document.querySelectorAll("button")].some((it) => it.innerText.startsWith("Run ") && !it.disabled))
  await tabTo("Run 1,000 events")
  await page.keyboard.press("Enter")
  await page.getByText("s of virtual time").first().waitFor()
  await context.close()
})

test("results come, stop where they are, and go on; a filter holds", async () => {
  const { context, page } = await open(browser)
  await visit(page, `${url}tail`)
  await page.locator("tbody tr").nth(3).waitFor()
  await page.getByRole("button", { name: "Stop" }).click()
  await page.getByText("Stopped; what is here stays.").waitFor()
  const stopped = await page.locator("tbody tr").count()
  // Others see results come meanwhile.
  const other = await context.newPage()
  await visit(other, `${url}tail`)
  await other.locator("tbody tr").nth(3).waitFor()
  await other.close()
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
