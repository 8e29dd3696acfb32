// Whether the engines found the same heap in a file: if not, one of them did not do the work that it is timed for.

/** @param engines what `measure` gave */
export function agreementOf(engines) {
  const known = (key) => new Set(engines.map((engine) => engine[key]).filter((value) => value !== undefined))
  const [nodes, bytes] = [known('nodes'), known('bytes')]
  return { agree: nodes.size <= 1 && bytes.size <= 1, nodes: [...nodes], bytes: [...bytes] }
}
