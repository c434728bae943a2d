/** What people do in Studio, step by step: several files of scripts go the same way. */

export const CURL = `curl https://api.example.com/v1/send -H 'Authorization: Bearer YOUR_TOKEN' -H 'Content-Type: application/json' -d '{"messages": [{"to": "+919812345678", "text": "Hello"}]}'`
export const REPLY = '{"status": "accepted", "id": "g17a2b3c4"}'

/** A curl command becomes a draft. */
export async function readCurl(page, curl) {
  await page.getByLabel("Command").fill(curl)
  await page.getByRole("button", { name: "Read it" }).click()
  await page.getByRole("button", { name: /^Go on with / }).click()
  await page.getByRole("textbox", { name: "Definition, YAML" }).waitFor()
}

/** Write at the end of the text. */
export async function append(page, text) {
  await page.getByRole("textbox", { name: "Definition, YAML" }).click()
  await page.keyboard.press("Control+End")
  await page.keyboard.type(text)
}

/** A reply is pasted, and a rule made of it. */
export async function makeRule(page, body = REPLY) {
  await page.getByLabel("Body").fill(body)
  await page.getByRole("button", { name: "status == 'accepted' → accept" }).click()
  await page.locator("table code", { hasText: "response.rules[0]" }).first().waitFor()
}

/** From the curl line to a simulation. */
export async function fillStudio(page) {
  await readCurl(page, CURL)
  await page.locator("pre.req mark", { hasText: "919812345671" }).waitFor()
  await makeRule(page)
  await page.getByRole("button", { name: "Run 1,000 events" }).click()
  await page.getByText("1,000 accepted, none taken twice").first().waitFor()
}
