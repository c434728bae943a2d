/** What pages weigh, compressed, and what stands between an address and something that is seen. */

import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { launch, open } from "./chromium.mjs"

const { CONSOLE: url } = process.env
/** Bytes and requests of a page with all that it loads. */
const LIMITS = { overview: { bytes: 80_000, requests: 16 }, studio: { bytes: 250_000, requests: 28 } }
const SLOW = { offline: false, latency: 150, downloadThroughput: 1_600_000 / 8, uploadThroughput: 750_000 / 8 }
let browser
before(async () => {
  browser = await launch()
})
after(() => browser.close())

/** Files of a page → bytes on the wire, headers and all. */
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
  if (name === "overview") await page.locator(".chart canvas").nth(1).waitFor()
  // The editor comes when somebody opens the text: it weighs most, and belongs to the page.
  if (name === "studio") {
    await page.getByRole("button", { name: "YAML", exact: true }).click()
    await page.locator(".cm-content").waitFor()
  }
  await context.close()
  return [...sizes].map(([id, size]) => [files.get(id), size]).filter(([path]) => path && !path.includes("/api/"))
}

for (const [name, limit] of Object.entries(LIMITS)) {
  test(`${name} weighs at most ${limit.bytes / 1000} kB in ${limit.requests} files`, async (t) => {
    const files = await weigh(name)
    const all = files.reduce((sum, [, size]) => sum + size, 0)
    t.diagnostic(`${name}: ${(all / 1000).toFixed(1)} kB in ${files.length} files`)
    const told = files.map((it) => it.join(" ")).join(", ")
    assert.ok(files.length > 5, "the files are seen")
    assert.ok(all <= limit.bytes, `${all} bytes: ${told}`)
    assert.ok(files.length <= limit.requests, `${files.length} files: ${told}`)
  })
}

test("something is seen after a page and its styles: within a second on a slow line, by arithmetic", async (t) => {
  const { context, page } = await open(browser)
  await page.goto(url)
  await page.locator("main h1").first().waitFor()
  const { blocking, own } = await page.evaluate(() => ({
    blocking: performance.getEntriesByType("resource").filter((it) => it.renderBlockingStatus === "blocking").map((it) => [new URL(it.name).pathname, it.transferSize]),
    own: performance.getEntriesByType("navigation")[0].transferSize,
  }))
  const bytes = blocking.reduce((sum, [, size]) => sum + size, own)
  // A connection, the page, its styles: three times there and back, and the bytes at 1.6 Mbit/s.
  const seconds = 3 * 0.15 + bytes / SLOW.downloadThroughput
  t.diagnostic(`before the first paint: ${bytes} bytes in ${blocking.length + 1} files, ${Math.round(1000 * seconds)} ms on the line`)
  assert.ok(blocking.length > 0 && blocking.every(([path]) => path.endsWith(".css")), `scripts do not stand before the first paint: ${blocking}`)
  assert.ok(seconds < 0.75, `${bytes} bytes: ${blocking.map((it) => it.join(" ")).join(", ")}`)
  await context.close()
})

test("how soon it is seen at 1.6 Mbit/s, 150 ms and a processor four times slower", async (t) => {
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
