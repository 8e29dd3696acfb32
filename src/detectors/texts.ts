// The texts of the patterns: Markdown files beside the detectors.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('.', import.meta.url))

export function listPatterns(): { id: string; summary: string }[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.md'))
    .sort()
    .map((file) => {
      const id = file.slice(0, -'.md'.length)
      return { id, summary: /^# [^:\n]+: (.*)$/m.exec(readPattern(id))?.[1] ?? '' }
    })
}

export const readPattern = (id: string): string => readFileSync(join(folder, `${id}.md`), 'utf8')
