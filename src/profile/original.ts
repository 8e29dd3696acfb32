// A call tree in terms of the sources that were written, where scripts have source maps.

import { localMaps, type OriginalPosition } from '../support/source-maps.ts'
import { type CallTree, FrameTable } from './call-tree.ts'

/** The script that each source was found through, by the source's URL: its map may carry the text. */
export type Scripts = ReadonlyMap<string, string>

/** The same tree with names, URLs, lines and columns of sources. Frames without a source map stay as they are. */
export function toOriginal(tree: CallTree): { tree: CallTree; scripts: Scripts } {
  const { frames } = tree
  const scripts = new Map<string, string>()
  const mapped = new FrameTable()
  const newFrame = new Uint32Array(frames.size)
  const hasMap = new Uint8Array(frames.size)
  for (let frame = 0; frame < frames.size; frame++) {
    const url = frames.url(frame)
    const column = frames.column(frame)
    const found = localMaps.at(url, frames.line(frame), column || 1)
    if (found === undefined) {
      newFrame[frame] = mapped.add(frames.name(frame), url, frames.line(frame), column)
      continue
    }
    hasMap[frame] = 1
    scripts.set(found.url, url)
    newFrame[frame] = mapped.add(nameOf(frames, frame), found.url, found.line, found.column)
  }
  if (scripts.size === 0) return { tree, scripts }

  const lines = new Map<string, OriginalPosition | undefined>()
  const line = tree.line.map((ran, node) => {
    const frame = tree.frame[node]!
    if (ran === 0 || hasMap[frame] === 0) return ran
    const url = frames.url(frame)
    const key = `${url}\n${ran}`
    if (!lines.has(key)) lines.set(key, localMaps.line(url, ran))
    const found = lines.get(key)
    // A script of one line, or a line made of another file's: V8 tells no column that could say more.
    return found && found.url === mapped.url(newFrame[frame]!) && !isOneLine(url) ? found.line : 0
  })
  return { tree: { ...tree, frames: mapped, frame: tree.frame.map((frame) => newFrame[frame]!), line }, scripts }

  /** Whether nothing of the script stands behind its first line, as in a minified bundle. */
  function isOneLine(url: string): boolean {
    return localMaps.line(url, 2) === undefined && localMaps.line(url, 3) === undefined
  }
}

/** What the source calls the function: V8 knows it where the call's name stands in front of its parameters. */
function nameOf(frames: FrameTable, frame: number): string {
  const name = frames.name(frame)
  const start = frames.column(frame) - name.length
  return (start > 0 && localMaps.at(frames.url(frame), frames.line(frame), start)?.name) || name
}
