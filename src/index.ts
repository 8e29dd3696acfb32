// What `import … from 'leakscope'` gives: the Report of a process or of files, and the parts that it is made with.

export type { Classes, ClassRow } from './analysis/classes.ts'
export type { SeriesOptions } from './analysis/compare.ts'
export type { Culprit } from './analysis/culprit.ts'
export type { Matching, SnapshotTotals } from './analysis/following.ts'
export type {
  ClassGrowth,
  Growth,
  GrowthCluster,
  GrowthOptions,
} from './analysis/growth.ts'
export { compareSnapshots } from './analysis/growth.ts'
export { type OpenedSnapshot, type OpenOptions, openSnapshot } from './analysis/open-snapshot.ts'
export {
  type BigClass,
  type BigObject,
  type DuplicateString,
  type Kind,
  type Overview,
  overview,
} from './analysis/overview.ts'
export { judgeTrend, type Point, type Trend, timeToLimit, type Verdict } from './analysis/trend.ts'
export { type Bundle, type BundleCapture, BundleSchema, readBundle } from './capture/bundle.ts'
export { isBundle } from './capture/bundle-folder.ts'
export { type BundleOptions, captureBundle, type IsolateLimits } from './capture/capture-bundle.ts'
export {
  captureProfile,
  captureProfiles,
  type ProfileCapture,
  type ProfileOptions,
} from './capture/capture-profiles.ts'
export { captureHeapSnapshot, type HeapSnapshotFile, type HeapSnapshotOptions } from './capture/heap-snapshot.ts'
export type { Sampling } from './capture/profile.ts'
export {
  analyze,
  type DiagnoseOptions,
  type DiffOptions,
  diagnose,
  diff,
  type FileOptions,
} from './commands/for-programs.ts'
export { type ErrorCode, LeakscopeError } from './errors.ts'
export { type Report, type ReportFinding, ReportSchema } from './findings/report.ts'
export type { HeapGraph } from './graph/heap-graph.ts'
export type { SourceLocation } from './graph/locations.ts'
export { referenceWords, thingWords } from './graph/path-words.ts'
export { type PathReference, type PathStep, retainingPath, type Thing, thingOf } from './graph/retaining-path.ts'
export type { ClassFilter } from './heap/class-list.ts'
export {
  type HeapClass,
  type HeapElement,
  type HeapEntry,
  type HeapNode,
  type HeapQuery,
  type HeapReference,
  type NodeGrowth,
  openHeap,
  type WhatIf,
} from './heap/heap-query.ts'
export type { Page, PageOptions } from './heap/page.ts'
export { EdgeType, NodeType } from './snapshot/meta.ts'
export { type RedactedFile, type RedactOptions, redactFile } from './snapshot/redaction/redact-file.ts'
export { edgeTarget, edgeType, type Locations, type Snapshot } from './snapshot/snapshot.ts'
export type { Encoder } from './support/encoder.ts'
export { type ReadSource, readLocalSource } from './support/sources.ts'
export { type AttachOptions, type Target, withInspector } from './target/attach.ts'
export { listNodeProcesses, type NodeProcess } from './target/processes.ts'
export { parseTarget, type TargetName } from './target/target.ts'
