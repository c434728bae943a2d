import { h } from "preact"
import htm from "htm"

export { h, render, Fragment, createContext, createRef } from "preact"
export { useCallback, useContext, useEffect, useErrorBoundary, useId, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks"
export { batch, computed, effect, signal, useComputed, useSignal, useSignalEffect } from "@preact/signals"
export const html = htm.bind(h)
