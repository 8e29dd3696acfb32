// What Node and V8 keep for a program in places of their own: how each place looks in a heap, why things stay there, and which public call ends that.

/** How a place is recognised on the way to what piles up. */
export type Holder =
  /** A variable of one of Node's own modules. Where several modules have one of that name, `module` says which. */
  | { readonly variable: string; readonly module?: RegExp }
  /** A property, symbol or private field, by its plain name, of an object or function of that class or name. */
  | { readonly field: string; readonly of: RegExp }
  /** A reference of V8's own, by its name. */
  | { readonly slot: string }
  /** An object of Node's own that is not JavaScript's. */
  | { readonly native: string }
  /** Things that nothing but Node's native side holds: what they are, or a class of which one came with each of them. */
  | { readonly open: string }

export interface NodeInternal {
  readonly id: string
  readonly holders: readonly Holder[]
  /** A property that objects get for each thing that is kept, wherever the objects are: their tables grow, too. */
  readonly marks?: string
  /** The leak pattern that it is. */
  readonly pattern: string
  /** What is kept, in words: `performance marks`. */
  readonly things: string
  /** Class of those that are counted, where there are others beside them. */
  readonly counted?: string
  /** Why it stays, in one sentence. */
  readonly cause: string
  /** What ends that, with `{at}` where the program's line belongs. */
  readonly advice: string
  /** Other rows in which the same things show as well. */
  readonly also?: readonly string[]
  /** Public calls that put things there, the likeliest first, as `find-call.ts` reads them. */
  readonly calls: readonly string[]
  /** A variable beside the place that says how many it keeps at the most: so many are no leak. */
  readonly bound?: string
  /** The place alone does not tell what it is: one of the calls must be in the program. */
  readonly onlyWithCall?: true
  /** Major versions of Node in which it is so; left out, all from 18 to 26. */
  readonly majors?: readonly number[]
}

/**
 * Each row was seen in heaps of the Node versions that it names, by a program that provokes it.
 * The first that fits is told.
 */
export const NODE_INTERNALS: readonly NodeInternal[] = [
  {
    id: 'timers-by-number',
    holders: [{ variable: 'knownTimersById' }],
    pattern: 'growing-collection',
    things: 'timers that were made numbers',
    // Timeout.prototype[Symbol.toPrimitive] of lib/internal/timers.js.
    cause:
      'A timer that was made a number (+timer, Number(timer), a property key) is filed under that number in knownTimersById, so that clearTimeout(number) finds it.',
    advice:
      'Keep the object that setTimeout() returns{at} instead of a number. Where it has to be a number, call clearTimeout(number) also when the timer has fired.',
    calls: [],
  },
  {
    id: 'async-local-storages',
    holders: [{ variable: 'storageList' }],
    marks: 'kResourceStore',
    pattern: 'growing-collection',
    things: 'AsyncLocalStorage instances that were never disabled',
    // AsyncLocalStorage._enable of lib/internal/async_local_storage/async_hooks.js; Node 24 has async_context_frame.js.
    cause:
      "Up to Node 22, an AsyncLocalStorage that was run() or entered stays in a list of Node's (storageList), and every async resource gets a property for it, until its disable() is called.",
    advice:
      'Make one AsyncLocalStorage for the whole program{at} and keep in its store what differs, or call disable() on each when what it is for is gone. Node 24 and newer have no such list.',
    calls: ['new async_hooks.AsyncLocalStorage'],
    majors: [18, 20, 22],
  },
  {
    id: 'performance-marks',
    holders: [{ variable: 'markEntryBuffer' }, { variable: 'markTimings' }],
    pattern: 'growing-collection',
    things: 'performance marks',
    cause: 'The performance timeline keeps every mark until it is cleared, in markEntryBuffer.',
    advice:
      'Call performance.clearMarks(name) when a mark{at} has been measured, or compare two performance.now() and mark nothing.',
    calls: ['performance.mark'],
  },
  {
    id: 'performance-measures',
    holders: [{ variable: 'measureEntryBuffer' }],
    pattern: 'growing-collection',
    things: 'performance measures',
    cause: 'The performance timeline keeps every measure until it is cleared, in measureEntryBuffer.',
    advice:
      'Call performance.clearMeasures(name) when a measure{at} has been read; for durations that are only counted, a histogram (perf_hooks.createHistogram()) keeps no entries.',
    calls: ['performance.measure'],
  },
  {
    id: 'performance-resources',
    holders: [{ variable: 'resourceTimingBuffer' }],
    pattern: 'growing-collection',
    things: 'resource timings',
    cause:
      'The performance timeline keeps a timing of each fetch() until the buffer is full, and the program has made the buffer larger.',
    advice: 'Call performance.clearResourceTimings() now and then, or set a smaller size{at}.',
    calls: ['performance.setResourceTimingBufferSize', 'performance.markResourceTiming'],
    bound: 'resourceTimingBufferSizeLimit',
  },
  {
    id: 'performance-observers',
    holders: [{ variable: 'kObservers' }, { variable: 'kPending' }],
    pattern: 'listener-leak',
    things: 'performance observers that were never disconnected',
    cause: 'Node keeps every PerformanceObserver that observes, in kObservers, until its disconnect() is called.',
    advice: 'Call disconnect() on each when what it is for is gone, or make one observer{at} for the whole program.',
    calls: ['new perf_hooks.PerformanceObserver'],
  },
  {
    id: 'source-maps',
    holders: [{ variable: 'generatedSourceMapCache' }, { variable: 'esmSourceMapCache' }],
    pattern: 'growing-collection',
    things: 'source maps of code that was evaluated',
    // maybeCacheGeneratedSourceMap of lib/internal/source_map/source_map_cache.js.
    cause:
      'With --enable-source-maps Node keeps the source map of each evaluated text that has a sourceURL, by that URL, for ever (generatedSourceMapCache).',
    advice:
      'Give text that is evaluated again the same //# sourceURL each time, without a revision or counter in it{at}, evaluate each text once and keep its function, or leave the source map out.',
    calls: ['eval', 'new Function', 'Function', 'vm.runInThisContext', 'vm.compileFunction', 'new vm.Script'],
  },
  {
    id: 'combined-signals',
    holders: [
      { variable: 'sourceSignalsCleanupRegistry' },
      { field: 'kDependantSignals', of: /^(AbortSignal|EventTarget)$/ },
      { variable: 'dependantSignalsCleanupRegistry' },
    ],
    pattern: 'growing-collection',
    things: 'records of AbortSignal.any()',
    cause:
      'AbortSignal.any() of a signal that lives long leaves a record of each combined signal with it (kDependantSignals, sourceSignalsCleanupRegistry), which in some versions of Node stays when the combined signal is gone.',
    advice:
      'Combine signals{at} that end with the work, or hand the long-lived one on and take the listener off it in a finally; newer versions of Node keep no record of combined signals that nobody listens to.',
    calls: ['AbortSignal.any'],
    majors: [20, 22, 24, 26],
  },
  {
    id: 'signals-listened-to',
    holders: [{ variable: 'gcPersistentSignals' }],
    pattern: 'listener-leak',
    things: 'abort signals that are listened to',
    cause:
      'A signal of AbortSignal.any() or AbortSignal.timeout() that somebody listens to is kept by Node (gcPersistentSignals) until it aborts or the listener is taken off.',
    advice:
      'Take the listener off the signal{at} when the work is done (removeEventListener() in a finally), or use an AbortController and clear its timer.',
    calls: ['AbortSignal.any', 'AbortSignal.timeout'],
    also: ['combined-signals'],
  },
  {
    id: 'async-hooks',
    holders: [{ variable: 'active_hooks' }],
    pattern: 'listener-leak',
    things: 'async hooks that were never disabled',
    cause:
      'Node keeps every enabled async hook, in active_hooks, and calls it for every async resource, until its disable() is called.',
    advice: 'Call disable() on the hook when what it is for is gone, or enable one{at} for the whole program.',
    calls: ['async_hooks.createHook'],
  },
  {
    id: 'promise-hooks',
    holders: [{ variable: 'hooks', module: /promise_hooks/ }],
    pattern: 'listener-leak',
    things: 'promise hooks that were never stopped',
    cause: 'Node keeps every promise hook, and calls it for every promise, until it is stopped.',
    advice: 'Call the function that setting the hook returned{at} when what it is for is gone.',
    calls: ['v8.onInit', 'v8.onSettled', 'v8.onBefore', 'v8.onAfter', 'v8.createHook'],
  },
  {
    id: 'diagnostics-channels',
    holders: [
      { field: '_subscribers', of: /^(Active)?Channel$/ },
      { variable: 'channels', module: /diagnostics_channel/ },
    ],
    pattern: 'listener-leak',
    things: 'subscribers of diagnostics channels',
    cause: 'A diagnostics channel keeps its subscribers, and Node keeps every channel that has any.',
    advice:
      'Call unsubscribe() with the same channel and function when what it is for is gone, or subscribe once{at} at start-up.',
    calls: ['diagnostics_channel.subscribe', 'diagnostics_channel.bindStore'],
  },
  {
    id: 'module-hooks',
    holders: [{ variable: 'loadHooks' }, { variable: 'resolveHooks' }],
    pattern: 'listener-leak',
    things: 'module hooks that were never taken off',
    cause: 'Node keeps every hook of module.registerHooks(), and asks it at every import, until it is deregistered.',
    advice: 'Call deregister() on what registerHooks() returned{at}, or register one for the whole program.',
    calls: ['module.registerHooks'],
    majors: [22, 24, 26],
  },
  {
    id: 'trace-events',
    holders: [{ variable: 'enabledTracingObjects' }],
    pattern: 'growing-collection',
    things: 'tracings that were never disabled',
    cause:
      'Node keeps every enabled Tracing of node:trace_events, in enabledTracingObjects, until its disable() is called.',
    advice: 'Call disable() on each, or make one Tracing{at} for the whole program.',
    calls: ['trace_events.createTracing'],
  },
  {
    id: 'console-timers',
    holders: [{ field: '_times', of: /^[cC]onsole$/ }],
    pattern: 'growing-collection',
    things: 'timers of console.time() that were never ended',
    cause: 'The console keeps the start of each label of console.time() until console.timeEnd() is called with it.',
    advice: 'Call console.timeEnd() with the same label on every way out, in a finally{at}.',
    calls: ['console.time'],
  },
  {
    id: 'console-counters',
    holders: [{ field: 'counts', of: /^[cC]onsole$/ }],
    pattern: 'growing-collection',
    things: 'labels of console.count()',
    cause: 'The console keeps a number for each label of console.count() until console.countReset() is called with it.',
    advice: 'Count under labels that are no ids or other data{at}, or call console.countReset(label).',
    calls: ['console.count'],
  },
  {
    id: 'environment-data',
    holders: [{ variable: 'environmentData' }],
    pattern: 'growing-collection',
    things: 'entries of setEnvironmentData()',
    cause:
      'worker_threads keeps what setEnvironmentData() was given, and copies all of it into every new worker, until the key is set to undefined.',
    advice:
      'Call setEnvironmentData(key, undefined) when the workers no longer need it, or hand it to the one worker that does, as workerData or by postMessage(){at}.',
    calls: ['worker_threads.setEnvironmentData'],
  },
  {
    id: 'debuglog-sections',
    holders: [{ variable: 'debugImpls' }],
    pattern: 'growing-collection',
    things: 'sections of util.debuglog()',
    cause: 'util.debuglog() keeps a function for each section name, for ever.',
    advice: 'Make a debuglog for a fixed name, at the top of a module, and put what differs into the message{at}.',
    calls: ['util.debuglog', 'util.debug'],
  },
  {
    id: 'object-urls',
    holders: [{ native: 'Node / BlobBindingData' }, { native: 'Node / StoredDataObject' }, { open: 'Blob' }],
    pattern: 'off-heap-growth',
    things: 'blobs with an object URL',
    cause: 'URL.createObjectURL() has Node keep the Blob, outside the JavaScript heap, until its URL is revoked.',
    advice: 'Call URL.revokeObjectURL(url) when the URL has been used{at}.',
    calls: ['URL.createObjectURL'],
  },
  {
    id: 'inspector-sessions',
    holders: [{ open: 'Node / InspectorSession' }],
    pattern: 'handle-leak',
    things: 'inspector sessions that were never disconnected',
    cause: 'Node keeps an inspector session that is connected until its disconnect() is called.',
    advice: 'Call disconnect() on each in a finally, or keep one session{at}.',
    calls: ['new inspector.Session'],
  },
  {
    id: 'web-locks',
    holders: [{ open: 'Promise' }],
    onlyWithCall: true,
    pattern: 'promise-pileup',
    things: 'locks that are held or waited for',
    cause: 'navigator.locks keeps a lock until the promise that the callback returned is settled.',
    advice: 'See that the callback given to locks.request(){at} comes to an end, or give it a signal that aborts.',
    calls: ['locks.request'],
    majors: [24, 26],
  },
  {
    id: 'atomics-waiters',
    holders: [{ slot: 'atomics_waitasync_promises' }],
    pattern: 'promise-pileup',
    things: 'promises of Atomics.waitAsync()',
    cause:
      'V8 keeps the promise of each Atomics.waitAsync() until somebody calls Atomics.notify() or its time is over.',
    advice: 'Give waitAsync() a timeout{at}, and see that Atomics.notify() is called for everybody who waits.',
    calls: ['Atomics.waitAsync'],
  },
  {
    id: 'registered-symbols',
    holders: [{ slot: 'public_symbol_table' }],
    pattern: 'growing-collection',
    things: 'symbols made by Symbol.for()',
    counted: '(symbol)',
    cause: 'V8 keeps every symbol of Symbol.for(), with its name, for ever: there is no call that takes one out.',
    advice:
      'Make no symbols of ids or other data: Symbol.for() is for fixed names{at}; a string or a Map key does here.',
    calls: ['Symbol.for'],
  },
  {
    id: 'module-paths',
    holders: [
      { variable: 'realpathCache' },
      { variable: 'relativeResolveCache' },
      { variable: 'deserializedPackageJSONCache' },
      { variable: 'moduleToParentPackageJSONCache' },
      { field: '_pathCache', of: /^Module$/ },
    ],
    pattern: 'duplicate-modules',
    things: 'paths of modules',
    cause: 'Node keeps the path of every file that was required or resolved, for ever, whether it still exists or not.',
    advice:
      'Load no files of ever new names{at}: read data as data (JSON.parse, readFile), and run generated code by vm.Script under one name.',
    calls: ['require', 'require.resolve', 'import'],
  },
  {
    id: 'agent-requests',
    holders: [{ field: 'requests', of: /^(Agent|HttpAgent|HttpsAgent)$/ }],
    pattern: 'task-queue-pileup',
    things: 'requests that wait for a free socket',
    cause: 'The http.Agent lets requests wait while its maxSockets are all taken, without a limit.',
    advice:
      'See that each response is read to its end or destroyed (resume(), destroy()) and each request has a timeout{at}; raise maxSockets, or refuse work when too much waits.',
    calls: ['http.get', 'http.request', 'https.get', 'https.request'],
  },
  {
    id: 'fetch-origins',
    holders: [{ field: 'clients', of: /^(Env)?(Http)?(Proxy)?Agent$/ }],
    pattern: 'handle-leak',
    things: 'origins that fetch() keeps connections to',
    cause: 'The dispatcher of fetch() keeps a pool of connections for each origin that was fetched from.',
    advice:
      "Ever new hosts or ports need a dispatcher of their own that is closed (undici's new Agent() as { dispatcher }, close() in a finally){at}, or the header connection: close.",
    calls: ['fetch', 'undici.request'],
  },
  {
    id: 'web-stream-queue',
    holders: [
      { field: 'queue', of: /^(Readable|Writable|Transform)\w*Controller$/ },
      { field: 'writeRequests', of: /^WritableStream/ },
    ],
    pattern: 'outbound-buffer-pileup',
    things: 'chunks in the queue of a web stream',
    cause: 'A web stream keeps what was enqueued until it is read, however much that is.',
    advice:
      'Look at desiredSize before enqueue(), or await writer.ready before write(){at}; cancel() the stream, or the branch of tee(), that nobody reads.',
    calls: ['*.enqueue', '*.write'],
  },
  {
    id: 'child-messages',
    holders: [{ open: 'WriteWrap' }],
    pattern: 'outbound-buffer-pileup',
    things: 'writes to a process or socket that does not read',
    cause: 'What is sent to another process waits in this one until it is read there.',
    advice:
      'Look at what send() returns, or wait for its callback, before the next one{at}; end the process at the other end if it has stopped to read.',
    calls: ['*.send', '*.write'],
  },
]
