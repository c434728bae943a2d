/** Every page × theme × width: axe finds nothing, nothing goes sideways, nothing comes from elsewhere, nothing is refused. */

import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { launch, open, sideways, violations, visit, WIDTHS } from "./chromium.mjs"

const { CONSOLE: url, SITUATION: situation, PICTURES: pictures } = process.env
const PAGES = {
  busy: ["overview", "providers", "providers/plivo", "providers/msg91", "studio", "tail", "workers", "audit"],
  away: ["overview", "providers/msg91", "workers"],
  empty: ["overview", "providers", "workers", "audit"],
  locked: ["overview"],
}[situation]
const THEMES = { light: { colorScheme: "light", forcedColors: "none" }, dark: { colorScheme: "dark", forcedColors: "none" }, forced: { colorScheme: "dark", forcedColors: "active" } }

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
    for (const [theme, media] of Object.entries(THEMES)) {
      await page.emulateMedia(media)
      for (const width of WIDTHS) {
        await page.setViewportSize({ width, height: 900 })
        await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))
        if (pictures && theme !== "forced") await page.screenshot({ path: `${pictures}/${situation}-${name.replace("/", "-")}-${width}-${theme}.png`, fullPage: true })
        found.push(...(await violations(page)).map((it) => `${theme}, ${width} px: ${it}`))
        found.push(...(await sideways(page)).map((it) => `${theme}, ${width} px: goes sideways: ${it}`))
      }
    }
    await page.evaluate(() => document.documentElement.style.setProperty("font-size", "175%")) // of 0.875rem: twice
    for (const width of [390, 1440]) {
      await page.setViewportSize({ width, height: 900 })
      await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))
      found.push(...(await sideways(page)).map((it) => `text of twice the size, ${width} px: goes sideways: ${it}`))
    }
    assert.deepEqual([...found, ...(await refused())], [])
    await context.close()
  })
}
