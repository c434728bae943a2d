/** Pictures of every page in both themes and three widths, for people to look at: `make pictures`. */

import { after, before, test } from "node:test"
import { drawn, launch, open, visit } from "./chromium.mjs"
import { fillStudio } from "./studio_steps.mjs"

const { CONSOLE: url, SITUATION: situation, PICTURES: folder } = process.env
const PAGES = {
  busy: ["overview", "providers", "providers/plivo", "providers/msg91", "studio", "studio-filled", "studio-form", "tail", "workers", "audit"],
  away: ["overview", "providers/msg91", "workers"],
  empty: ["overview", "providers", "workers", "audit"],
  locked: ["overview"],
  hostile: ["overview", "providers/plivo", "tail", "workers", "audit"],
}[situation]

let browser
before(async () => {
  browser = await launch()
})
after(() => browser.close())

for (const name of PAGES) {
  test(name, async () => {
    const { context, page } = await open(browser, { reducedMotion: "reduce" })
    await visit(page, url + name.replace(/^studio-.*/, "studio"))
    if (name === "tail") {
      await page.locator("tbody tr").nth(12).waitFor()
      await page.getByRole("button", { name: "Stop" }).click()
    }
    if (name === "overview" && ["busy", "away"].includes(situation)) await page.locator(".chart canvas").nth(1).waitFor()
    if (name.startsWith("studio-")) await fillStudio(page)
    if (name === "studio-form") await page.getByRole("button", { name: "Form", exact: true }).click()
    for (const theme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme: theme })
      for (const width of [390, 768, 1440]) {
        await page.setViewportSize({ width, height: 900 })
        await drawn(page)
        // A window as high as the page: what keeps to the window's top or height stands where it does.
        const height = await page.evaluate(() => document.documentElement.scrollHeight)
        await page.setViewportSize({ width, height })
        await drawn(page)
        await page.screenshot({ path: `${folder}/${situation}-${name.replace("/", "-")}-${width}-${theme}.png` })
      }
    }
    await context.close()
  })
}
