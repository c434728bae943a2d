// What becomes of the text: saved in the folder, taken back, downloaded, copied as a patch, proposed.
import { ask, post } from "../api.js"
import { visible } from "../say.js"
import { html, useEffect, useState } from "../vendor/preact.js"
import { Trouble } from "./studio_parts.js"

const CHANGED = 412
const GONE = 404

function download(name, text) {
  const link = document.createElement("a")
  link.href = URL.createObjectURL(new Blob([text], { type: "application/yaml" }))
  link.download = `${name}.yaml`
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 1000)
}

/** A definition as it was seen: its text, and what a later change of it names. */
export const seen = ({ value, etag }) => ({ text: value.definition, etag, undo: value.undo })

/** What of a text differs from that in the folder, which somebody else has written. */
async function difference(name, text) {
  try {
    const theirs = seen(await ask(`api/studio/definitions/${name}`))
    const { patch } = await post("api/studio/patch", { definition: text, name, before: theirs.text })
    return { theirs, patch }
  } catch (error) {
    if (error.status !== GONE) throw error
    return { theirs: null, patch: "" }
  }
}

export function Saving({ name, text, saved, facts, good, onSaved }) {
  const [said, setSaid] = useState("")
  const [trouble, setTrouble] = useState(null)
  const [busy, setBusy] = useState(false)
  const [differs, setDiffers] = useState(null)
  useEffect(() => setDiffers(null), [name, text])
  const changed = !saved || saved.text !== text
  const doing = (what, told) => async () => {
    setBusy(true)
    setTrouble(null)
    setSaid("")
    try {
      await what()
      setDiffers(null)
      setSaid(told)
    } catch (error) {
      if (error.status === CHANGED) await difference(name, text).then(setDiffers, setTrouble)
      else setTrouble(error)
    } finally {
      setBusy(false)
    }
  }
  const saving = (etag) =>
    doing(async () => onSaved(seen(await ask(`api/studio/definitions/${name}`, { method: "PUT", etag, body: { definition: text } }))), `Saved as ${name}.yaml. Workers read it within three seconds.`)
  const undo = doing(async () => {
    const answer = await ask(`api/studio/definitions/${name}/undo`, { method: "POST", etag: saved.etag, body: {} })
    onSaved(answer.value && seen(answer))
  }, "Taken back.")
  const patch = doing(async () => {
    const told = await post("api/studio/patch", { definition: text, name, before: saved ? saved.text : "" })
    await navigator.clipboard.writeText(told.patch)
  }, "Copied as a patch: git apply takes it.")
  return html`<div class="saving">
    <div class="row" role="group" aria-label="What becomes of the text">
      <button type="button" disabled=${!text} onClick=${() => download(name, text)}>Download</button>
      <button type="button" disabled=${!text || !changed || busy} onClick=${patch}>Copy as patch</button>
      ${facts.propose && html`<a class="button" target="_blank" rel="noopener noreferrer" href=${facts.propose.replace("{file}", encodeURIComponent(`${name}.yaml`))}>Propose change</a>`}
      ${facts.saves && saved?.undo && html`<button type="button" disabled=${busy} onClick=${undo}>Undo the save</button>`}
      ${facts.saves && html`<button type="button" class="first" disabled=${!good || !changed || busy} onClick=${saving(saved?.etag)}>Save</button>`}
    </div>
    <div role="status" class="soft">${said}</div>
    <${Trouble} trouble=${trouble} />
    ${differs && html`<${Differs} name=${name} opened=${Boolean(saved)} differs=${differs} busy=${busy} onMine=${saving(differs.theirs?.etag)} onTheirs=${() => onSaved(differs.theirs)} />`}
  </div>`
}

const SIDES = { "+": "good", "-": "bad-text" }

/** Nobody is overwritten unseen: theirs and mine, line by line, and a choice. */
function Differs({ name, opened, differs, busy, onMine, onTheirs }) {
  const { theirs, patch } = differs
  const why = !theirs ? `${name}.yaml is not there any more.` : opened ? `Somebody has changed ${name}.yaml since you opened it.` : `There is a ${name}.yaml already.`
  return html`<section class="card differs" aria-label="What differs">
    <div class="body stack" role="alert"><strong>${why} Nothing was saved.</strong>
      ${theirs && (patch ? html`<span class="soft">− theirs, + yours</span>` : html`<span>It says the same as yours.</span>`)}</div>
    ${patch && html`<pre tabindex="0" role="group" aria-label="Theirs against yours">${patch.split("\n").slice(2).map((line) => html`<span class=${SIDES[line[0]]}>${visible(line)}${"\n"}</span>`)}</pre>`}
    <div class="body row">
      <button type="button" disabled=${busy} onClick=${onMine}>${theirs ? "Save mine over it" : "Save mine again"}</button>
      ${theirs && html`<button type="button" disabled=${busy} onClick=${onTheirs}>Take theirs</button>`}
    </div>
  </section>`
}
