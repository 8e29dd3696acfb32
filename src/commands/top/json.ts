// What `top` found, for programs: plain numbers in the profile's unit, shares as fractions.

import type { Group } from '../../profile/group.ts'
import type { Listing } from '../../profile/list.ts'
import type { Peek } from '../../profile/peek.ts'
import type { ReadProfile } from '../../profile/read.ts'
import type { Weighed } from '../../profile/weigh.ts'
import { jsonText } from '../../support/format.ts'
import { toolVersion } from '../../support/version.ts'
import { shareOf } from './text.ts'
import type { TopView } from './view.ts'

export function topJson(
  view: TopView,
  limit: number,
  { peek, list }: { peek?: readonly Peek[]; list?: readonly Listing[] },
): string {
  const { weighed, base, sampleType } = view
  const share = (part: number): number | null => shareOf(part, weighed.total)
  let sum = 0
  const rows = view.rows.slice(0, limit).map(({ flat, cum, ...group }) => {
    sum += flat
    return {
      ...groupJson(group, view.by),
      flat,
      flatShare: share(flat),
      sumShare: share(sum),
      cum,
      cumShare: share(cum),
    }
  })
  const neighbour = ({ amount, ...group }: Peek['callees'][number]) => ({
    ...groupJson(group, view.by),
    amount,
    share: share(amount),
  })
  const json = {
    schemaVersion: 1,
    tool: { name: 'leakscope', version: toolVersion() },
    command: 'top',
    sampleType: sampleType.name,
    unit: sampleType.unit,
    by: view.by,
    profile: profileJson(view.profile, view.own),
    base: base ? profileJson(base.profile, base.weighed) : null,
    shareOf: weighed.total,
    rowCount: view.rows.length,
    rows,
    ...(peek && {
      peek: peek.map(({ row: { flat, cum, ...group }, callers, callees, fromRoot }) => ({
        ...groupJson(group, view.by),
        flat,
        cum,
        fromRoot,
        callers: callers.map(neighbour),
        callees: callees.map(neighbour),
      })),
    }),
    ...(list && { list }),
  }
  return jsonText(json)
}

function groupJson({ name, url, line, column, package: inside }: Group, by: TopView['by']) {
  return by === 'function' || by === 'line'
    ? { function: name, url, line, column, package: inside }
    : by === 'file'
      ? { file: name, package: inside }
      : { package: name }
}

function profileJson({ file, format, fileBytes, tree }: ReadProfile, { apart, total, self }: Weighed) {
  return {
    file,
    format,
    fileBytes,
    durationMs: tree.durationMs,
    total,
    shown: self.reduce((sum, each) => sum + each, 0),
    idle: apart.idle,
    program: apart.program,
    garbageCollector: apart['garbage collector'],
  }
}
