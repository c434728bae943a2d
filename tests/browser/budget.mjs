/** What pages weigh, compressed, and how soon something is seen on a slow line with a slow machine. */

import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { launch, open } from "./chromium.mjs"

const { CONSOLE: url } = process.env
const LIMITS = { overview: 80_000, studio: 250_000 }
const SLOW = { offline: false, latency: 150, downloadThroughput: 1_600_000 / 8, uploadThroughput: 750_000 / 8 }
let browser
before(async () => {
  browser = await launch()
})
after(() => browser.close())

async function weigh(name) {
  const { context, page } = await open(browser)
  const session = await context.newCDPSession(page)
  await session.send("Network.enable")
  const files = new Map()
  const sizes = new Map()
  session.on("Network.requestWillBeSent", (it) => files.set(it.requestId, new URL(it.request.url).pathname))
  session.on("Network.loadingFinished", (it) => sizes.set(it.requestId, it.encodedDataLength))
  await page.goto(url + name)
  await page.locator("main h1").first().waitFor()
  // The editor comes when somebody opens the text: it weighs most, and belongs to the page.
  if (name === "studio") await page.evaluate(() => import(new URL("vendor/codemirror.js", document.querySelector("script[src]").src).href).then(() => null))
  await page.waitForTimeout(500) // what is loaded when the page is there
  await context.close()
  return [...sizes].map(([id, size]) => [files.get(id), size]).filter(([path]) => !path.includes("/api/"))
}

for (const [name, limit] of Object.entries(LIMITS)) {
  test(`${name} weighs at most ${limit / 1000} kB`, async (t) => {
    const answer = await fetch(`${url}api/me`).then((it) => it.json())
    if (!answer.pages.includes(name)) return t.skip(`this console has no page ${name}`)
    const files = await weigh(name)
    const all = files.reduce((sum, [, size]) => sum + size, 0)
    t.diagnostic(`${name}: ${(all / 1000).toFixed(1)} kB in ${files.length} files`)
    assert.ok(files.length > 5, "the files are seen")
    assert.ok(all <= limit, `${all} bytes: ${files.map((it) => it.join(" ")).join(", ")}`)
  })
}

test("something is seen within a second at 1.6 Mbit/s, 150 ms and a processor four times slower", async (t) => {
  const { context, page } = await open(browser)
  const session = await context.newCDPSession(page)
  await session.send("Network.enable")
  await session.send("Network.emulateNetworkConditions", SLOW)
  await session.send("Emulation.setCPUThrottlingRate", { rate: 4 })
  await page.goto(url)
  const painted = await page.evaluate(() => new Promise((done) => new PerformanceObserver((list, watch) => {
    const found = list.getEntries().find((it) => it.name === "first-contentful-paint")
    if (found) {
      watch.disconnect()
      done(found.startTime)
    }
  }).observe({ type: "paint", buffered: true })))
  await page.locator("main h1").first().waitFor()
  const whole = await page.evaluate(() => performance.now())
  // Told, not asserted: on a machine that does other things as well it would be a test of those.
  t.diagnostic(`first paint after ${Math.round(painted)} ms, the sentence after ${Math.round(whole)} ms`)
  await context.close()
})
