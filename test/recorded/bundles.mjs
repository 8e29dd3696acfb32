// Packs a bundle into one file, by what its snapshots differ in from another one of the same Node; and unpacks it.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, brotliDecompressSync, constants, gunzipSync, gzipSync } from 'node:zlib'
import { frameOf, pack, parse, Strings, unpack, write } from './packing.mjs'

const MANIFEST = 'capture.json'
const SCRIPTS = 'scripts.json.gz'

/** The last snapshot of a bundle, packed by itself: what all others of that Node are compared with. */
export function packBase(folder) {
  const { captures } = readJson(folder, MANIFEST)
  const strings = new Strings()
  const heap = parse(readFileSync(join(folder, captures.at(-1).file)), strings)
  const streams = pack(heap, undefined, strings, false, 0)
  return compress(frameOf(heap), [textsOf(strings, 0), ...streams])
}

/** What `packBundle` and `unpackBundle` need of it. */
export function unpackBase(bytes) {
  const { meta, parts } = decompress(bytes)
  const strings = stringsOf([], parts[0])
  return { texts: strings.texts, heap: unpack(parts.slice(1), meta, undefined, strings, false) }
}

/**
 * Packs a bundle, and sees that unpacking gives every byte of its snapshots back. What says something of the machine is
 * left out, and the scripts come along whether they differ from their files or not.
 * @param about what goes with it, as JSON
 */
export function packBundle(folder, about, base) {
  const strings = new Strings(base.texts)
  const manifest = withoutMachine(readJson(folder, MANIFEST))
  const heaps = []
  const last = new Map()
  for (const { file, isolate } of manifest.captures) {
    const known = strings.texts.length
    const bytes = readFileSync(join(folder, file))
    const heap = parse(bytes, strings)
    const before = last.get(isolate)
    const streams = pack(heap, before ?? base.heap, strings, before !== undefined, known)
    const again = unpack(streams, frameOf(heap), before ?? base.heap, strings, before !== undefined)
    if (!write(again, strings).equals(bytes)) throw new Error(`unpacking ${file} gives other bytes`)
    last.set(isolate, heap)
    heaps.push({ frame: frameOf(heap), streams })
  }
  const profiles = manifest.captures.flatMap(({ profile }) =>
    profile === null ? [] : [[profile, readFileSync(join(folder, profile), 'utf8')]],
  )
  const { scripts, ...rest } = JSON.parse(gunzipSync(readFileSync(join(folder, SCRIPTS))).toString())
  const texts = scripts.map((script) => ({ ...script, text: script.text ?? textOf(script.url) }))
  const meta = {
    ...{ about, manifest, profiles, scripts: { ...rest, scripts: texts } },
    heaps: heaps.map(({ frame }) => frame),
  }
  return compress(meta, [textsOf(strings, base.texts.length), ...heaps.flatMap(({ streams }) => streams)])
}

/** Writes the bundle into a folder; returns what was told about it. */
export function unpackBundle(bytes, folder, base) {
  const { meta, parts } = decompress(bytes)
  const strings = stringsOf(base.texts, parts[0])
  const each = (parts.length - 1) / meta.heaps.length
  const last = new Map()
  for (const [i, { file, isolate }] of meta.manifest.captures.entries()) {
    const streams = parts.slice(1 + i * each, 1 + (i + 1) * each)
    const before = last.get(isolate)
    const heap = unpack(streams, meta.heaps[i], before ?? base.heap, strings, before !== undefined)
    writeFileSync(join(folder, file), write(heap, strings))
    last.set(isolate, heap)
  }
  for (const [name, text] of meta.profiles) writeFileSync(join(folder, name), text)
  writeFileSync(join(folder, SCRIPTS), gzipSync(JSON.stringify(meta.scripts)))
  writeFileSync(join(folder, MANIFEST), JSON.stringify(meta.manifest))
  return meta.about
}

function withoutMachine(manifest) {
  const { nodeVersion, v8Version, platform, arch, cwd } = manifest.process
  return {
    ...manifest,
    process: {
      ...{ pid: null, nodeVersion, v8Version, argv: null, execArgv: null, platform, arch, uptimeMs: null },
      ...{ hostPid: null, cwd },
    },
    rounds: manifest.rounds.map((round) => ({ ...round, os: null })),
    captures: manifest.captures.filter(({ file }) => file !== null).map((each) => ({ ...each, facts: null })),
  }
}

function textOf(url) {
  try {
    return readFileSync(url.startsWith('file:') ? fileURLToPath(url.replace(/[?#].*$/, '')) : url, 'utf8')
  } catch {
    return null
  }
}

const readJson = (folder, name) => JSON.parse(readFileSync(join(folder, name), 'utf8'))

/** The texts of a snapshot's strings have no line breaks, as they are JSON. */
const textsOf = (strings, from) => Buffer.from(strings.texts.slice(from).join('\n'), 'latin1')

function stringsOf(known, part) {
  return new Strings([...known, ...(part.length > 0 ? part.toString('latin1').split('\n') : [])])
}

function compress(meta, parts) {
  const all = [Buffer.from(JSON.stringify(meta)), ...parts]
  const lengths = Buffer.alloc(4 * (all.length + 1))
  for (const [i, { length }] of [all, ...all].entries()) lengths.writeUInt32LE(length, 4 * i)
  const bytes = Buffer.concat([lengths, ...all])
  return brotliCompressSync(bytes, {
    params: {
      [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  })
}

function decompress(packed) {
  const bytes = brotliDecompressSync(packed)
  let at = 4 * (bytes.readUInt32LE(0) + 1)
  const [meta, ...parts] = Array.from({ length: bytes.readUInt32LE(0) }, (_, i) => {
    const part = bytes.subarray(at, at + bytes.readUInt32LE(4 * (i + 1)))
    at += part.length
    return part
  })
  return { meta: JSON.parse(meta.toString()), parts }
}
