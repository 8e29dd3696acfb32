// Types of packing.mjs for the tests.

export function pack(bytes: Buffer): Buffer
export function unpack(packed: Buffer): Generator<Buffer>
