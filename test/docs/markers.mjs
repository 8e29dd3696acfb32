// The shown outputs in README.md and docs/: each stands in a code block behind a comment that names it.

import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** `<!-- shown: NAME -->`, and the code block below it. */
const SHOWN = /(<!-- shown: ([^>]+?) -->\n```\w*\n)([\s\S]*?)(\n```)/g

/** All pages, by their path in the repository. */
export const pages = () => ['README.md', ...readdirSync(`${root}docs`).map((name) => `docs/${name}`)]

export const readPage = (page) => readFileSync(root + page, 'utf8')

/** Every output that a page shows, by its name. */
export const shownIn = (text) => [...text.matchAll(SHOWN)].map(([, , name, output]) => ({ name, output }))

/** The page with the output `newOf(name)` in the place of each that it shows; undefined leaves one as it is. */
export const renewed = (text, newOf) =>
  text.replace(SHOWN, (whole, before, name, _, after) => {
    const output = newOf(name)
    return output === undefined ? whole : before + output + after
  })
