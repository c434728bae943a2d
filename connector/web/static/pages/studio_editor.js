// The definition as YAML: CodeMirror with completion, problems as one types, and the colours of what a request shares.
import { post } from "../api.js"
import { html, useEffect, useRef } from "../vendor/preact.js"

/** Beside those that the library knows: a draft is pasted in, and what is not seen in it could say something else. */
const HIDDEN = /[\u180e\u200c\u200d\u202a-\u202c\u2060-\u2065\u2068-\u206f]|[\u{e0000}-\u{e007f}]/u

const library = () => import("../vendor/codemirror.js")

/** Offset of a line and column that are counted in characters, from 1. */
function offset(state, line, column) {
  if (line < 1 || line > state.doc.lines) return null
  const at = state.doc.line(line),
    text = at.text
  const units = /[\ud800-\udbff]/.test(text)
    ? Array.from(text)
        .slice(0, column - 1)
        .join("").length
    : column - 1
  return Math.min(at.from + units, at.to)
}

/** The other way round: the cursor's line and column in characters. */
function place(state, position) {
  const line = state.doc.lineAt(position)
  return { line: line.number, column: Array.from(line.text.slice(0, position - line.from)).length + 1 }
}

function extensions(cm, given, marks, setMarks, tell) {
  const { EditorView } = cm
  const complete = async (context) => {
    const before = context.matchBefore(/[\w$.{|:-]+\s?/)
    if (!before && !context.explicit) return null
    const text = context.state.doc.toString()
    let found
    try {
      found = await post("api/studio/complete", { definition: text, name: given.current.name, ...place(context.state, context.pos), event: given.current.event })
    } catch {
      return null
    }
    if (context.aborted || !found.completions.length) return null
    const back = found.completions[0].back || 0
    return {
      from: context.pos - back,
      filter: false,
      options: found.completions.map((each) => ({
        label: each.insert.trim().replace(/:$/, ""),
        apply: each.insert,
        detail: each.sample,
        info: each.about || undefined,
      })),
    }
  }
  const style = cm.HighlightStyle.define([
    { tag: cm.tags.propertyName, class: "cm-key" },
    { tag: cm.tags.comment, class: "cm-note" },
    { tag: cm.tags.string, class: "cm-text" },
  ])
  return [
    EditorView.cspNonce.of(document.body.dataset.nonce || ""),
    cm.lineNumbers(),
    cm.highlightSpecialChars({ addSpecialChars: HIDDEN }),
    cm.history(),
    cm.bracketMatching(),
    cm.indentUnit.of("  "),
    cm.yaml(),
    cm.syntaxHighlighting(style),
    cm.lintGutter(),
    cm.autocompletion({ override: [complete], activateOnTypingDelay: 150 }),
    marks,
    // Tab is not taken: the keyboard must be able to leave.
    cm.keymap.of([...cm.completionKeymap, ...cm.lintKeymap, ...cm.searchKeymap, ...cm.historyKeymap, ...cm.defaultKeymap]),
    EditorView.contentAttributes.of({ "aria-label": "Definition, YAML", spellcheck: "false", tabindex: "0" }),
    EditorView.updateListener.of((update) => {
      if (update.docChanged && !update.transactions.some((it) => it.annotation(setMarks.ours))) tell(update.state.doc.toString())
    }),
  ]
}

/** Decorations that stay with their text while it changes, until the server has told new places. */
function decorations(cm) {
  const set = cm.StateEffect.define(),
    ours = cm.Annotation.define()
  const field = cm.StateField.define({
    create: () => cm.Decoration.none,
    update: (value, transaction) => {
      value = value.map(transaction.changes)
      for (const effect of transaction.effects) if (effect.is(set)) value = effect.value
      return value
    },
    provide: (it) => cm.EditorView.decorations.from(it),
  })
  return { field, set, ours }
}

function drawn(cm, state, uses) {
  const builder = new cm.RangeSetBuilder()
  for (const use of uses) {
    const from = offset(state, use.line, use.column),
      to = offset(state, use.line, use.column + use.length)
    if (from === null || to <= from) continue
    const about = use.shared ? "the same for a whole request" : "of each message"
    builder.add(from, to, cm.Decoration.mark({ class: use.shared ? "shared" : "own", attributes: { title: `${use.names.join(", ") || "call"}: ${about}` } }))
  }
  return builder.finish()
}

const diagnostics = (state, checked) =>
  [...checked.errors.map((each) => ["error", each]), ...checked.warnings.map((each) => ["warning", each])]
    .filter(([, each]) => each.line)
    .map(([severity, each]) => {
      const from = offset(state, each.line, each.column || 1) ?? 0,
        line = state.doc.lineAt(from)
      const word = /^[^\s,:{}[\]]+/.exec(state.doc.sliceString(from, line.to))
      return { from, to: Math.max(from, Math.min(line.to, from + (word ? word[0].length : 1))), severity, message: each.message + (each.remedy ? `. ${each.remedy}` : "") }
    })

/** @param {{name: string, text: string, checked: object, event: object, go: object, onChange: (text: string) => void}} props */
export function Editor(props) {
  const host = useRef(null),
    view = useRef(null),
    given = useRef(props),
    parts = useRef(null)
  // What was typed here comes back as `text`, perhaps when more has been typed already: only other texts replace it.
  const own = useRef(new Set())
  const tell = (text) => {
    own.current.add(text)
    given.current.onChange(text)
  }
  given.current = props
  useEffect(() => {
    let gone = false
    library().then((cm) => {
      if (gone) return
      const marks = decorations(cm)
      parts.current = { cm, marks }
      view.current = new cm.EditorView({
        parent: host.current,
        state: cm.EditorState.create({ doc: given.current.text, extensions: extensions(cm, given, marks.field, marks, tell) }),
      })
      told()
    })
    return () => {
      gone = true
      view.current?.destroy()
      view.current = null
    }
  }, [])
  const told = () => {
    const { checked } = given.current
    if (!view.current || !checked || checked.text !== view.current.state.doc.toString()) return
    const { cm, marks } = parts.current,
      { state } = view.current
    if (checked.ok || checked.uses.length) view.current.dispatch({ effects: marks.set.of(drawn(cm, state, checked.uses)) })
    view.current.dispatch(cm.setDiagnostics(view.current.state, diagnostics(state, checked)))
  }
  useEffect(() => {
    const { current } = view
    if (!current || own.current.has(props.text)) {
      if (current?.state.doc.toString() === props.text) own.current = new Set([props.text])
      return
    }
    own.current.clear()
    if (current.state.doc.toString() === props.text) return
    current.dispatch({ changes: { from: 0, to: current.state.doc.length, insert: props.text }, annotations: parts.current.marks.ours.of(true) })
    told()
  }, [props.text])
  useEffect(told, [props.checked])
  useEffect(() => {
    if (!props.go || !view.current) return
    const at = offset(view.current.state, props.go.line, props.go.column || 1)
    if (at === null) return
    view.current.dispatch({ selection: { anchor: at }, scrollIntoView: true })
    view.current.focus()
  }, [props.go])
  return html`<div class="ed" ref=${host}></div>`
}
