// What becomes of the text: saved in the folder, taken back, downloaded, copied as a patch, proposed.
import { html, useState } from "../vendor/preact.js"
import { ask, post } from "./studio_api.js"
import { Message } from "./studio_parts.js"

function download(name, text) {
  const link = document.createElement("a")
  link.href = URL.createObjectURL(new Blob([text], { type: "application/yaml" }))
  link.download = `${name}.yaml`
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 1000)
}

export function Saving({ name, text, saved, facts, good, onSaved }) {
  const [said, setSaid] = useState(""),
    [trouble, setTrouble] = useState(null),
    [busy, setBusy] = useState(false)
  const changed = !saved || saved.text !== text
  const doing = (what, told) => async () => {
    setBusy(true)
    setTrouble(null)
    setSaid("")
    try {
      await what()
      setSaid(told)
    } catch (error) {
      setTrouble(error)
    } finally {
      setBusy(false)
    }
  }
  const kept = (answer) => onSaved({ text: answer.value.definition, etag: answer.etag, undo: answer.value.undo, writable: answer.value.writable })
  const save = doing(
    async () => kept(await ask(`studio/definitions/${name}`, { method: "PUT", etag: saved?.etag, body: { definition: text } })),
    `Saved as ${name}.yaml. Workers read it within three seconds.`,
  )
  const undo = doing(async () => {
    const answer = await ask(`studio/definitions/${name}/undo`, { method: "POST", etag: saved.etag, body: {} })
    if (answer.value) kept(answer)
    else onSaved(null)
  }, "Taken back.")
  const patch = doing(async () => {
    const told = await post("studio/patch", { definition: text, name, before: saved ? saved.text : "" })
    await navigator.clipboard.writeText(told.patch)
  }, "Copied as a patch: git apply takes it.")
  return html`<div class="saving">
    <div class="row wrap" role="group" aria-label="What becomes of the text">
      <button type="button" class="btn" disabled=${!text} onClick=${() => download(name, text)}>Download</button>
      <button type="button" class="btn" disabled=${!text || !changed || busy} onClick=${patch}>Copy as patch</button>
      ${facts.propose ? html`<a class="btn" target="_blank" rel="noopener noreferrer" href=${facts.propose.replace("{file}", encodeURIComponent(`${name}.yaml`))}>Propose change</a>` : null}
      ${facts.saves && saved?.undo ? html`<button type="button" class="btn" disabled=${busy} onClick=${undo}>Undo the save</button>` : null}
      ${facts.saves ? html`<button type="button" class="btn main" disabled=${!good || !changed || busy} onClick=${save}>Save</button>` : null}
    </div>
    <div aria-live="polite" class="note">${said}</div>
    <${Message} trouble=${trouble} />
  </div>`
}
