/** The run's browser, pages in it that note what must not happen, and what is asked of a page more than once. */

import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { chromium } from "playwright-core"

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")
const EVERYTHING = { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }
/** What another theme can change: the markup is the same. */
const COLOURS = { type: "rule", values: ["color-contrast", "link-in-text-block"] }

/** The browser of the run (server.mjs), or one of this file's own, to try a single file by hand. */
export function launch() {
  return process.env.BROWSER ? chromium.connect(process.env.BROWSER) : chromium.launch({ executablePath: process.env.CHROMIUM, chromiumSandbox: process.getuid() !== 0 })
}

/**
 * A page, and `noted`: requests elsewhere, errors of scripts, what the policy has refused.
 * axe is put in by the debugger: the page's own policy would not let it in, and that is not to be loosened.
 */
export async function open(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: "en-GB", ...options })
  const page = await context.newPage()
  const noted = []
  await page.addInitScript(() => {
    globalThis.refused = []
    addEventListener("securitypolicyviolation", (event) => globalThis.refused.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`))
  })
  page.on("pageerror", (error) => noted.push(`error: ${error.message}`))
  page.on("console", (message) => /Content Security|TrustedHTML|Trusted Type/i.test(message.text()) && noted.push(`policy: ${message.text()}`))
  page.on("request", (request) => {
    const url = new URL(request.url())
    if (!["127.0.0.1", "localhost"].includes(url.hostname) && url.protocol.startsWith("http")) noted.push(`elsewhere: ${url.origin}`)
  })
  const refused = async () => [...noted, ...(await page.evaluate(() => globalThis.refused))]
  return { context, page, refused }
}

/** Open an address and wait until the page has what it shows. */
export async function visit(page, url) {
  await page.goto(url)
  await page.locator("main h1").first().waitFor()
  await page.locator("main [role=status]:has-text('Loading'), main [role=status]:has-text('Looking')").first().waitFor({ state: "detached" })
}

/** What axe finds, one line each; of colours alone where the rest has been looked at in another theme. */
export async function violations(page, { colours = false } = {}) {
  const session = await page.context().newCDPSession(page)
  await session.send("Runtime.evaluate", { expression: `if (!globalThis.axe) { ${axe} }` })
  const { result, exceptionDetails } = await session.send("Runtime.evaluate", {
    expression: `axe.run(document, { runOnly: ${JSON.stringify(colours ? COLOURS : EVERYTHING)}, resultTypes: ["violations"] }).then((it) => JSON.stringify(it.violations.map((one) => one.id + ": " + one.nodes.map((node) => node.target.join(" ") + " " + node.failureSummary.split("\\n").slice(1, 2)).slice(0, 3).join(" | "))))`,
    awaitPromise: true,
    returnByValue: true,
  })
  await session.detach()
  if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
  return JSON.parse(result.value)
}

/** Wait until what has changed is drawn. */
export const drawn = (page) => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))

/** Text of twice its size: the sizes of app.css are parts of the root's. */
export async function twice(page) {
  await page.evaluate(() => document.documentElement.style.setProperty("font-size", "175%")) // of 0.875rem
  await drawn(page)
}

/** What pushes the page sideways: the elements that stick out, where it can be pushed. */
export function sideways(page) {
  return page.evaluate(() => {
    const root = document.documentElement
    if (root.scrollWidth <= root.clientWidth) return []
    const out = [...document.querySelectorAll("body *")].filter((it) => it.getBoundingClientRect().right > root.clientWidth + 1 && !it.closest(".scroll, .side"))
    return [`${root.scrollWidth - root.clientWidth} px`, ...out.slice(-3).map((it) => `${it.tagName} ${it.className} “${it.innerText?.slice(0, 40)}”`)]
  })
}
