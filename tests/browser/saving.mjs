/** Saved, taken back, and what is said when somebody else has changed the file meanwhile. */

import assert from "node:assert/strict"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { after, before, test } from "node:test"
import { launch, open, violations, visit } from "./chromium.mjs"
import { append } from "./studio_steps.mjs"

const { CONSOLE: url, FOLDER: folder } = process.env
let browser
before(async () => {
  browser = await launch()
})
after(() => browser.close())

const file = (name) => `${folder}/${name}.yaml`
const onDisk = (name) => readFileSync(file(name), "utf8")
const definition = (name) => `name: ${name}\nmethod: POST\nurl: https://sms.example.com/send\nparameters:\n  pairs: {to: $$To, text: $$Body}\n`

/** Somebody with a definition open that stands in the folder. */
async function editing(name) {
  writeFileSync(file(name), definition(name))
  const { context, page, refused } = await open(browser)
  await visit(page, `${url}studio?open=${name}`)
  await page.getByText("as it is saved").waitFor()
  return { context, page, refused, save: page.getByRole("button", { name: "Save", exact: true }), undo: page.getByRole("button", { name: "Undo the save" }) }
}

test("what was saved is taken back, to the letter", async () => {
  const { context, page, save, undo } = await editing("acme")
  await append(page, "# a note\n")
  await save.click()
  await page.getByText("Saved as acme.yaml").waitFor()
  assert.equal(onDisk("acme"), `${definition("acme")}# a note\n`)
  await undo.click()
  await page.getByText("Taken back").waitFor()
  assert.equal(onDisk("acme"), definition("acme"))
  await page.getByText("as it is saved").waitFor()
  await page.waitForFunction((text) => !document.querySelector(".cm-content").innerText.includes(text), "# a note")
  await context.close()
})

test("a definition that the save has made is gone when it is taken back, and its text stays", async () => {
  const { context, page, refused } = await open(browser)
  await visit(page, `${url}studio`)
  await page.getByLabel("Command").fill("curl https://sms.example.com/send -d to=+919812345678 -d text=Hello")
  await page.getByRole("button", { name: "Read it" }).click()
  await page.getByRole("button", { name: /^Go on with / }).click()
  await page.getByLabel("Name of the definition").fill("brand-new")
  await page.getByRole("button", { name: "Save", exact: true }).click()
  await page.getByText("Saved as brand-new.yaml").waitFor()
  assert.ok(existsSync(file("brand-new")))
  await page.getByRole("button", { name: "Undo the save" }).click()
  await page.getByText("a draft", { exact: true }).waitFor()
  assert.ok(!existsSync(file("brand-new")))
  assert.match(await page.locator(".cm-content").innerText(), /sms\.example\.com/)
  assert.deepEqual(await refused(), [])
  await context.close()
})

test("a file that has changed on disk is not overwritten: what differs is shown, and either text can be had", async () => {
  const { context, page, save, refused } = await editing("shared")
  await append(page, "# mine\n")
  writeFileSync(file("shared"), `${definition("shared")}# theirs\n`)
  await save.click()
  const differs = page.getByRole("region", { name: "What differs" })
  await differs.waitFor()
  assert.match(await differs.innerText(), /-# theirs[\s\S]*\+# mine/)
  assert.match(onDisk("shared"), /# theirs/)
  assert.deepEqual(await violations(page), [])
  await page.getByRole("button", { name: "Save mine over it" }).click()
  await page.getByText("Saved as shared.yaml").waitFor()
  assert.equal(onDisk("shared"), `${definition("shared")}# mine\n`)
  await page.getByRole("button", { name: "Undo the save" }).click()
  await page.getByText("Taken back").waitFor()
  assert.match(onDisk("shared"), /# theirs/, "what was overwritten comes back")

  await append(page, "# mine again\n")
  writeFileSync(file("shared"), `${definition("shared")}# theirs again\n`)
  await save.click()
  await page.getByRole("button", { name: "Take theirs" }).click()
  await page.getByText("as it is saved").waitFor()
  assert.match(await page.locator(".cm-content").innerText(), /# theirs again/)
  assert.deepEqual(await refused(), [])
  await context.close()
})

test("an undo is no way around it: what somebody else has saved since is shown first", async () => {
  const { context, page, save, undo } = await editing("undone")
  await append(page, "# mine\n")
  await save.click()
  await page.getByText("Saved as undone.yaml").waitFor()
  writeFileSync(file("undone"), `${definition("undone")}# theirs\n`)
  await undo.click()
  const differs = page.getByRole("region", { name: "What differs" })
  await differs.waitFor()
  assert.match(await differs.innerText(), /-# theirs[\s\S]*\+# mine/)
  assert.match(onDisk("undone"), /# theirs/)
  await page.getByRole("button", { name: "Take theirs" }).click()
  await page.getByText("as it is saved").waitFor()
  await context.close()
})

test("a draft with the name of a definition that is there does not take its place unseen", async () => {
  writeFileSync(file("taken"), definition("taken"))
  const { context, page } = await open(browser)
  await visit(page, `${url}studio`)
  await page.getByLabel("Command").fill("curl https://other.example.com/send -d to=+919812345678 -d text=Hello")
  await page.getByRole("button", { name: "Read it" }).click()
  await page.getByRole("button", { name: /^Go on with / }).click()
  await page.getByLabel("Name of the definition").fill("taken")
  await page.getByRole("button", { name: "Save", exact: true }).click()
  await page.getByRole("region", { name: "What differs" }).waitFor()
  assert.equal(onDisk("taken"), definition("taken"))
  await context.close()
})

test("a page that is loaded again still knows what was saved", async () => {
  const { context, page, save } = await editing("kept")
  await append(page, "# once\n")
  await page.getByText("differs from what is saved").waitFor()
  await visit(page, `${url}studio`)
  await page.getByText("differs from what is saved").waitFor()
  await save.click()
  await page.getByText("Saved as kept.yaml").waitFor()
  assert.match(onDisk("kept"), /# once/)
  await context.close()
})
