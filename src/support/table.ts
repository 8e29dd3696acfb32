// Rows in columns without lines between them.

import Table from 'cli-table3'

const GAP = 2
const NO_LINES = ['top', 'bottom', 'left', 'right']
  .flatMap((edge) => [edge, `${edge}-mid`, `${edge}-left`, `${edge}-right`])
  .concat('mid', 'mid-mid')

/** The rows as text, columns two blanks apart; cells may be coloured. No rows, no text. */
export function renderTable(align: readonly ('left' | 'right')[], rows: readonly (readonly string[])[]): string {
  const table = new Table({
    colAligns: [...align],
    chars: { ...Object.fromEntries(NO_LINES.map((name) => [name, ''])), middle: ' '.repeat(GAP) },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  })
  for (const row of rows) table.push([...row])
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}
