// Published leaks of Node itself, with the versions that have them.

import type { KnownLeak } from './known-leak.ts'

export const NODE_LEAKS: readonly KnownLeak[] = [
  {
    id: 'nodejs/node#62363',
    title: 'AbortSignal.any() leaves an entry for each signal that follows one which lives on',
    package: 'node',
    affected: '>=22.13.0 <24.16.0 || >=25.0.0 <26.1.0',
    fixedIn: ['24.16.0', '26.1.0'],
    looks: { path: ['sourceSignalsCleanupRegistry'] },
    instead:
      'Until then, combine signals that live no longer than the work, or add one abort listener and take it off.',
  },
  {
    id: 'nodejs/node#55351',
    title: 'AbortSignal.any() leaves a reference in each signal which lives on',
    package: 'node',
    affected: '>=18.17.0 <22.12.0 || >=23.0.0 <23.1.0',
    fixedIn: ['22.12.0', '23.1.0'],
    looks: { path: ['kDependantSignals'] },
    instead:
      'Until then, combine signals that live no longer than the work, or add one abort listener and take it off.',
  },
  {
    id: 'nodejs/node#64476',
    title: 'signals of AbortSignal.any() that have a listener stay after they are aborted',
    package: 'node',
    affected: '>=20.3.0 <24.20.0 || >=25.0.0 <26.7.0',
    fixedIn: ['24.20.0', '26.7.0'],
    looks: { path: ['gcPersistentSignals'], classes: ['DOMException'] },
  },
  {
    id: 'nodejs/node#46435',
    title: 'fetch() with a signal keeps each request',
    package: 'node',
    affected: '>=18.13.0 <18.17.0',
    fixedIn: ['18.17.0'],
    looks: { path: ['requestFinalizer'] },
  },
  {
    id: 'nodejs/node#53335',
    title: 'a timer that is turned into a number stays in a table after it has fired',
    package: 'node',
    affected: '<20.16.0 || >=21.0.0 <22.4.0',
    fixedIn: ['20.16.0', '22.4.0'],
    looks: { path: ['knownTimersById'] },
    instead: 'Until then, keep the object that setTimeout returns.',
  },
  {
    id: 'nodejs/node#51091',
    title: 'events.on() leaves its abort listener on the signal when its iterator is done',
    package: 'node',
    affected: '>=15.0.0 <20.13.0',
    fixedIn: ['20.13.0'],
    looks: { patterns: ['listener-leak'], path: ['kEvents', 'abort'], classes: ['FixedCircularBuffer'] },
  },
  {
    id: 'nodejs/node#63577',
    title: 'Blob.stream() keeps the bytes of its blob',
    package: 'node',
    affected: '>=24.16.0 <24.20.0 || >=25.0.0 <26.6.0',
    fixedIn: ['24.20.0', '26.6.0'],
    looks: { classes: ['BlobReader', 'Blob'], path: ['(Global handles)'] },
  },
  {
    id: 'nodejs/node#64227',
    title: 'a close listener stays on a FileHandle for each stream that is made of it',
    package: 'node',
    affected: '>=18.0.0',
    fixedIn: [],
    looks: { patterns: ['listener-leak'], path: ['FileHandle', 'close'], classes: ['ReadStream', 'WriteStream'] },
    instead: 'Open a FileHandle for each stream, or read and write with its own methods.',
  },
  {
    id: 'nodejs/node#45633',
    title: 'each name of a diagnostics channel stays in a table',
    package: 'node',
    affected: '<18.13.0',
    fixedIn: ['18.13.0'],
    looks: { path: ['channels', 'node:diagnostics_channel'] },
  },
  {
    id: 'nodejs/node#65760',
    title: 'with --enable-source-maps, each evaluated text with a source map stays in a cache',
    package: 'node',
    affected: '>=18.0.0',
    fixedIn: [],
    looks: { path: ['generatedSourceMapCache'] },
    instead: 'Give evaluated texts the same sourceURL each time, or leave out the source map.',
  },
]
