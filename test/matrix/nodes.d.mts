export const NODE_MAJORS: readonly number[]
export function nodeBinary(major: number): Promise<string>

/** A folder in whose node_modules a package is, of that version; no install script of it runs. */
export function cachedPackage(name: string, version: string | number): Promise<string>
