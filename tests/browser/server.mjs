/** One browser for a whole run: says where it listens, and ends with what has started it. */

import { chromium } from "playwright-core"

const server = await chromium.launchServer({
  executablePath: process.env.CHROMIUM,
  host: "127.0.0.1",
  // Without a sandbox only as root, where it cannot be made; nothing foreign is opened.
  chromiumSandbox: process.getuid() !== 0,
  args: ["--disable-dev-shm-usage", "--disable-gpu"],
})
process.stdout.write(`${server.wsEndpoint()}\n`)
process.stdin.on("end", () => server.close().finally(() => process.exit(0))).resume()
