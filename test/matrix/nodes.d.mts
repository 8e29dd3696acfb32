export const NODE_MAJORS: readonly number[]
export function nodeBinary(major: number): Promise<string>
