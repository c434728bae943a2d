// Bundles each entry into one file, and writes down what is in it: packages, versions, licences, SHA-256.
// The same versions give the same bytes: a test compares them with what is committed.

import { createHash } from "node:crypto"
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"

const here = dirname(fileURLToPath(import.meta.url))
const target = process.argv[2] ?? join(here, "../connector/web/static/vendor")
const entries = ["preact", "uplot", "codemirror"]

mkdirSync(target, { recursive: true })

const files = {}
for (const entry of entries) {
  const outfile = join(target, `${entry}.js`)
  const result = await build({
    entryPoints: [join(here, "entries", `${entry}.js`)],
    outfile,
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    legalComments: "none",
    metafile: true,
    absWorkingDir: here,
  })
  files[`${entry}.js`] = { sha256: digest(outfile), packages: packages(Object.keys(result.metafile.inputs)) }
}
const style = join(target, "uplot.css")
copyFileSync(join(here, "node_modules/uplot/dist/uPlot.min.css"), style)
files["uplot.css"] = { sha256: digest(style), packages: packages(["node_modules/uplot/dist/uPlot.min.css"]) }

writeFileSync(join(target, "vendor.json"), `${JSON.stringify(files, null, 2)}\n`)
writeFileSync(join(target, "LICENSES.txt"), licences(files))

function digest(path) {
  return createHash("sha256").update(readFileSync(path)).digest("hex")
}

/** Name → version and licence of the packages that these files come from. */
function packages(inputs) {
  const found = {}
  for (const input of inputs) {
    const match = /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input)
    if (match === null) continue
    const { version, license } = JSON.parse(readFileSync(join(here, "node_modules", match[1], "package.json"), "utf8"))
    found[match[1]] = { version, license }
  }
  return Object.fromEntries(Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** The texts that have to go with them. */
function licences(files) {
  const names = [...new Set(Object.values(files).flatMap((file) => Object.keys(file.packages)))].sort()
  return names
    .map((name) => {
      const folder = join(here, "node_modules", name)
      const text = ["LICENSE", "LICENSE.md", "license", "LICENCE"].map((it) => read(join(folder, it))).find((it) => it !== null)
      const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))
      return `${name} ${version}, ${license}\n\n${(text ?? "").trim()}\n`
    })
    .join(`\n${"-".repeat(80)}\n\n`)
}

function read(path) {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return null
  }
}
