/** Icons as paths on a grid of 24. Each is decoration: what it means stands in words beside it. */

import { html } from "./vendor/preact.js"

const PATHS = {
  brand: "M3 8h6l4 4h8M3 16h6l4-4M3 12h4",
  overview: "M3 12h4l3-8 4 16 3-8h4",
  providers: "M9 3v5M15 3v5M6 8h12v3a6 6 0 0 1-12 0zM12 17v4",
  studio: "m4 20 1-4L16 5l3 3L8 19zM14 7l3 3",
  tail: "M4 6h16M4 11h10M4 16h7M16 13v6m0 0-3-3m3 3 3-3",
  workers: "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z",
  audit: "M6 3h12v18H6zM9 8h6M9 12h6M9 16h3",
  good: "m5 12 5 5 9-10",
  bad: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M9 9l6 6M15 9l-6 6",
  warn: "M12 4 2.5 20h19zM12 10v4M12 17v.2",
  odd: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M9.5 9.5a2.5 2.5 0 1 1 3.5 2.3c-.7.4-1 .8-1 1.7M12 16.5v.2",
  pause: "M8 5v14M16 5v14",
  clock: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M12 7v5l3 2",
  probe: "M4 12a8 8 0 0 1 14-5l2 2M20 4v5h-5M20 12a8 8 0 0 1-14 5l-2-2M4 20v-5h5",
  none: "M6 12h12",
  todo: "M12 6a6 6 0 1 0 0 12 6 6 0 0 0 0-12",
  run: "M8 5v14l11-7z",
}

/** @param {{name: keyof typeof PATHS}} props */
export function Icon({ name }) {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d=${PATHS[name] ?? PATHS.none} /></svg>`
}
