// What `import … from 'leakscope/measure'` gives: whether a function or a scenario leaks, for any test runner.

export { type ErrorCode, LeakscopeError } from '../errors.ts'
export type { Report, ReportFinding } from '../findings/report.ts'
export { type LeakMeasurement, type MeasureOptions, measureLeak, type Work } from './measure-leak.ts'
export { type MatcherResult, type ToLeakOptions, toLeak } from './to-leak.ts'
