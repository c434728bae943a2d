import { h } from "preact"
import htm from "htm"

export { render } from "preact"
export { useCallback, useEffect, useErrorBoundary, useId, useMemo, useRef, useState } from "preact/hooks"
export const html = htm.bind(h)
