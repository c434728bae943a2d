/** Every page for everybody: axe finds nothing, nothing goes sideways, nothing comes from elsewhere, nothing is refused. */

import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { drawn, launch, open, sideways, twice, violations, visit } from "./chromium.mjs"

const { CONSOLE: url, SITUATION: situation } = process.env
const PAGES = {
  busy: ["overview", "providers", "providers/plivo", "providers/msg91", "studio", "tail", "workers", "audit"],
  away: ["overview", "providers/msg91", "workers"],
  empty: ["overview", "providers", "workers", "audit"],
  locked: ["overview"],
}[situation]
const WIDTHS = [320, 390, 768, 1440]
const THEMES = {
  light: { colorScheme: "light", forcedColors: "none" },
  dark: { colorScheme: "dark", forcedColors: "none" },
  forced: { colorScheme: "dark", forcedColors: "active" },
}
/**
 * What axe looks at. Markup differs by width (phone, tablet, desk), colours by theme: each is looked at once, not each with
 * each. What Kafka away or an empty console add to a page is looked at in one of them.
 */
const LOOKS = {
  busy: [["light", 320], ["light", 768], ["light", 1440], ["dark", 320, "colours"], ["dark", 1440, "colours"], ["forced", 1440, "colours"]],
  away: [["light", 320], ["dark", 1440]],
  empty: [["light", 320], ["dark", 1440]],
  locked: [["light", 320], ["dark", 1440]],
}[situation]

let browser
before(async () => {
  browser = await launch()
})
after(() => browser.close())

for (const name of PAGES) {
  test(`${name} is for everybody: ${situation}`, async () => {
    const { context, page, refused } = await open(browser, { reducedMotion: "reduce" })
    await visit(page, url + name)
    if (name === "tail") {
      await page.locator("tbody tr").nth(5).waitFor()
      await page.getByRole("button", { name: "Stop" }).click()
    }
    if (name === "overview" && ["busy", "away"].includes(situation)) await page.locator(".chart canvas").nth(1).waitFor()
    const found = []
    for (const [theme, width, only] of LOOKS) {
      await page.emulateMedia(THEMES[theme])
      await page.setViewportSize({ width, height: 900 })
      await drawn(page)
      found.push(...(await violations(page, { colours: only === "colours" })).map((it) => `${theme}, ${width} px: ${it}`))
    }
    await page.emulateMedia(THEMES.light)
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 900 })
      await drawn(page)
      found.push(...(await sideways(page)).map((it) => `${width} px: goes sideways: ${it}`))
    }
    await twice(page)
    for (const width of [390, 1440]) {
      await page.setViewportSize({ width, height: 900 })
      await drawn(page)
      found.push(...(await sideways(page)).map((it) => `text of twice the size, ${width} px: goes sideways: ${it}`))
    }
    assert.deepEqual([...found, ...(await refused())], [])
    await context.close()
  })
}
