/** Signing in and out, and what each role is offered: what somebody may not do is not there. */

import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { launch, open, visit } from "./chromium.mjs"

const { CONSOLE: url } = process.env
let browser
before(async () => {
  browser = await launch()
})
after(() => browser.close())

async function signIn(page, token) {
  await page.getByLabel("Your access token").fill(token)
  await page.keyboard.press("Enter")
}

/** A page of somebody who has signed in with the token that is named after their role. */
async function as(role) {
  const { context, page, refused } = await open(browser)
  await visit(page, url)
  await signIn(page, `${role}-hunter2`)
  await page.getByText(`${role} · ${role}`).waitFor()
  return { context, page, refused }
}

test("a wrong token lets nobody in, and says so where it was asked; the right one does", async () => {
  const { context, page, refused } = await open(browser)
  await visit(page, `${url}providers/plivo`)
  assert.equal(await page.evaluate(() => document.activeElement.name), "token", "one can begin to type")
  await signIn(page, "somebody-elses")
  await page.getByRole("alert").getByText("this token lets nobody in").waitFor()
  assert.equal(await page.getByLabel("Your access token").getAttribute("aria-invalid"), "true")
  assert.equal(await page.locator("nav").count(), 0, "nothing is shown")
  await signIn(page, "viewer-hunter2")
  await page.getByRole("heading", { level: 1, name: "plivo" }).waitFor()
  assert.ok(page.url().endsWith("/providers/plivo"), "where somebody wanted to go they come to")
  assert.equal(await page.evaluate(() => document.cookie), "", "no script reads the session")
  assert.deepEqual(await refused(), [])
  await context.close()
})

test("who signs out is out: also with the way back, and on other windows", async () => {
  const { context, page } = await as("operator")
  const other = await context.newPage()
  await visit(other, `${url}providers/plivo`)
  await other.getByRole("button", { name: "Pause …" }).waitFor()
  await page.getByRole("link", { name: "Audit log" }).click()
  await page.getByRole("heading", { level: 1, name: "Audit log" }).waitFor()
  await page.getByRole("button", { name: "Sign out" }).click()
  await page.getByLabel("Your access token").waitFor()
  await page.goBack()
  await page.getByLabel("Your access token").waitFor()
  assert.equal(await page.locator("main table").count(), 0)
  assert.equal((await page.request.get(`${url}api/overview`, { headers: { "X-Console": "1" } })).status(), 401)
  await other.getByLabel("Your access token").waitFor()
  await context.close()
})

test("a viewer sees what there is, and is offered nothing they may not do", async () => {
  const { context, page, refused } = await as("viewer")
  const asked = []
  page.on("request", (request) => ["GET", "HEAD"].includes(request.method()) || asked.push(`${request.method()} ${new URL(request.url()).pathname}`))
  await page.getByRole("link", { name: "See plivo" }).waitFor()
  assert.equal(await page.getByRole("link", { name: "Pause it" }).count(), 0)
  await visit(page, `${url}providers/plivo?ask`)
  await page.getByRole("heading", { level: 2, name: "Limits" }).waitFor()
  assert.equal(await page.getByRole("button", { name: /^(Pause|Resume)/ }).count(), 0)
  assert.equal(await page.getByRole("dialog").count(), 0, "an address asks nothing of those who may not answer")
  await visit(page, `${url}studio`)
  await page.getByRole("button", { name: "Read it" }).waitFor()
  await page.getByLabel("Command").fill("curl https://sms.example.com/send -d to=+919812345678 -d text=Hello")
  await page.getByRole("button", { name: "Read it" }).click()
  await page.getByRole("button", { name: /^Go on with / }).click()
  await page.getByRole("button", { name: "Download" }).waitFor()
  for (const name of ["Save", "Undo the save", /^Run /, "Send it"]) assert.equal(await page.getByRole("button", { name, exact: true }).count(), 0, String(name))
  assert.deepEqual(asked.filter((it) => !/^POST .*\/api\/studio\/(check|render|reply|form|complete|import)$/.test(it)), [], "nothing else is asked than what drafts mean")
  assert.deepEqual(await refused(), [])
  await context.close()
})

test("an operator is offered to pause; an editor to save and simulate as well", async () => {
  const operator = await as("operator")
  await operator.page.getByRole("link", { name: "Pause it" }).first().waitFor()
  await visit(operator.page, `${url}providers/plivo`)
  await operator.page.getByRole("button", { name: "Pause …" }).waitFor()
  await visit(operator.page, `${url}studio`)
  await operator.page.getByRole("heading", { level: 2, name: "Reply" }).waitFor()
  assert.equal(await operator.page.getByRole("heading", { name: "Simulate" }).count(), 0)
  await operator.context.close()
  const editor = await as("editor")
  await visit(editor.page, `${url}studio`)
  await editor.page.getByRole("heading", { level: 2, name: "Simulate" }).waitFor()
  await editor.context.close()
})

test("a tail that is watched says so when the session has ended", async () => {
  const { context, page } = await as("viewer")
  await visit(page, `${url}tail`)
  await page.locator("tbody tr").first().waitFor()
  await context.clearCookies()
  await page.getByLabel("Status").selectOption("rejected") // another stream is asked for
  await page.getByLabel("Your access token").waitFor()
  await context.close()
})
