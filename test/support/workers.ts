// Programs with worker threads, for tests of everything that looks into those.

/** A piece of program that starts a worker which runs `source`, and keeps hold of it. */
export function worker(source: string, options: object = {}): string {
  return `(globalThis.workers ??= []).push(new (require('node:worker_threads').Worker)(
    ${JSON.stringify(source)}, { eval: true, ...${JSON.stringify(options)} }));`
}

/** What a worker runs that only waits. */
export const IDLE = 'setInterval(() => {}, 1000);'

/** A worker that is caught in a loop shortly after its start. */
export const LOOP = 'setTimeout(() => { for (;;) Math.random() }, 100)'

/** A worker whose thread is blocked outside JavaScript shortly after its start, where no question reaches it. */
export const BLOCKED = `setTimeout(() => require('node:child_process').execSync('sleep 60'), 100)`

/** Reports on standard output once every worker so far runs its program, and has had time to be caught in it. */
export const WHEN_ALL_RUN = `
  Promise.all((globalThis.workers ?? []).map((it) => new Promise((resolve) => it.once('online', resolve))))
    .then(() => setTimeout(() => console.log('all run'), 400));`
