// Rows of text as a plain table: columns of words to the left, of numbers to the right.

/** @param words which columns are of words */
export function table(heads, rows, words) {
  const lines = [heads, ...rows]
  const width = heads.map((_, i) => Math.max(...lines.map((line) => line[i].length)))
  const cell = (text, i) => (words.includes(i) ? text.padEnd(width[i]) : text.padStart(width[i]))
  return lines.map((line) => `  ${line.map(cell).join('  ')}`.trimEnd()).join('\n')
}
