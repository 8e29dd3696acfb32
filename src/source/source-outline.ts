// Reads JavaScript or TypeScript just well enough to search it: what is code and what only text, where functions begin and end.

/** A function or class: offsets into the source. */
export interface Block {
  readonly kind: 'function' | 'class'
  /** Where V8 says that it is: at its parameters; of a class, at the word. */
  readonly start: number
  /** First character of the body. */
  readonly body: number
  /** Behind the body. */
  readonly end: number
  /** The innermost one around it. */
  readonly around: Block | undefined
}

export interface Outline {
  readonly source: string
  /** In the order of their bodies. */
  readonly blocks: readonly Block[]
  /** Offsets of the lines. */
  readonly lines: readonly number[]
}

/** Of a source that does not parse. */
export interface TextOutline extends Outline {
  /** The source with blanks for what is in comments, strings and regular expressions: as long, and with the same lines. */
  readonly code: string
  /** By offset of a closing parenthesis or bracket: that of its opening one. */
  readonly opened: ReadonlyMap<number, number>
}

interface Open {
  readonly char: string
  readonly at: number
  readonly block: Draft | undefined
  /** Of a template's `${`. */
  readonly inTemplate: boolean
}

type Draft = { -readonly [key in keyof Block]: Block[key] }

/** Longer regular expressions are taken for something else. */
const MAX_EXPRESSION = 5000
/** Functions in functions that are looked at. */
const MAX_DEPTH = 200
/** Words in front of a parenthesis and a brace that are no function. */
const STATEMENTS = new Set(['if', 'for', 'while', 'switch', 'catch', 'with', 'await'])
/** Words behind which a slash begins a regular expression. */
const BEFORE_VALUE = new Set(['return', 'typeof', 'case', 'in', 'of', 'void', 'delete', 'throw', 'else', 'do', 'await'])
const WORD = /[\p{ID_Continue}$#]/u
const isWord = (char: string | undefined): boolean =>
  char !== undefined && (char > '\x7f' ? WORD.test(char) : /[\w$#]/.test(char))
const isBlank = (char: string | undefined): boolean => char !== undefined && /\s/.test(char)

/** One pass over the source, of linear cost; what is no JavaScript gives blocks that mean little, and no error. */
export function outlineSource(source: string): TextOutline {
  return new Reader(source).read()
}

class Reader {
  readonly #source: string
  readonly #parts: string[] = []
  readonly #blocks: Draft[] = []
  readonly #open: Open[] = []
  /** Blocks in braces that are open. */
  readonly #braced: Draft[] = []
  #openBraces = 0
  /** Functions without braces that are open, and how many brackets are open around each. */
  readonly #bare: { block: Draft; depth: number }[] = []
  readonly #opened = new Map<number, number>()
  readonly #lines = [0]
  #at = 0
  /** Up to where the source is copied. */
  #copied = 0
  /** Offset of the last character that is neither blank nor comment. */
  #last = -1
  /** The last word, and where it begins. */
  #word = { text: '', at: -1 }
  #lastParenthesis = { from: -1, to: -1 }
  #class: { at: number; depth: number } | undefined
  /** Where the parameters of the arrow function begin whose arrow came last. */
  #arrow: { start: number; at: number } | undefined

  constructor(source: string) {
    this.#source = source
  }

  read(): TextOutline {
    const source = this.#source
    for (let at = source.indexOf('\n'); at >= 0; at = source.indexOf('\n', at + 1)) this.#lines.push(at + 1)
    while (this.#at < source.length) this.#step()
    for (const block of this.#blocks) if (block.end < 0) block.end = source.length
    this.#blank(source.length, source.length)
    return {
      source,
      code: this.#parts.join(''),
      blocks: this.#blocks,
      opened: this.#opened,
      lines: this.#lines,
    }
  }

  /** Copies up to `from`, and puts blanks for what is from there to `to`. */
  #blank(from: number, to: number): void {
    this.#parts.push(this.#source.slice(this.#copied, from))
    if (to > from) this.#parts.push(this.#source.slice(from, to).replace(/[^\n]/g, ' '))
    this.#copied = to
  }

  #step(): void {
    const source = this.#source
    const at = this.#at
    const char = source[at]!
    const next = source[at + 1]
    if (isBlank(char)) {
      this.#at++
      if (char === '\n') this.#endBareAtLine()
    } else if (char === '/' && (next === '/' || next === '*')) this.#comment(next)
    else if (char === "'" || char === '"') this.#string(char)
    else if (char === '`') {
      this.#beginBare()
      this.#template(at + 1)
    } else if (isWord(char)) this.#readWord()
    else if (char === '=' && next === '>') {
      this.#arrow = { start: this.#arrowStart(), at }
      this.#last = at + 1
      this.#at += 2
    } else if (char !== '/' || !this.#expectsValue() || !this.#expression()) this.#mark(char)
  }

  #mark(char: string): void {
    const at = this.#at
    if (char === '{') this.#beginBrace()
    else {
      this.#beginBare()
      if (char === '(' || char === '[') this.#open.push({ char, at, block: undefined, inTemplate: false })
      else if (char === ',' || char === ';') {
        this.#endBare(this.#open.length)
        if (char === ';') this.#class = undefined
      } else if ((char === ')' || char === ']' || char === '}') && this.#close(char)) return
    }
    this.#last = at
    this.#at++
  }

  #comment(kind: string): void {
    const end = this.#source.indexOf(kind === '/' ? '\n' : '*/', this.#at + 2)
    const to = end < 0 ? this.#source.length : kind === '/' ? end : end + 2
    this.#blank(this.#at, to)
    this.#at = to
  }

  #string(quote: string): void {
    this.#beginBare()
    const source = this.#source
    let end = this.#at + 1
    while (end < source.length && source[end] !== quote && source[end] !== '\n') end += source[end] === '\\' ? 2 : 1
    end = Math.min(end, source.length)
    this.#blank(this.#at + 1, end)
    this.#last = end
    this.#at = end + 1
  }

  /** The text of a template, to its end or to the next `${`. */
  #template(from: number): void {
    const source = this.#source
    let end = from
    while (end < source.length && source[end] !== '`' && !(source[end] === '$' && source[end + 1] === '{')) {
      end += source[end] === '\\' ? 2 : 1
    }
    end = Math.min(end, source.length)
    this.#blank(from, end)
    this.#at = end + 1
    this.#last = end
    if (source[end] === '$') {
      this.#openBrace({ char: '{', at: end + 1, block: undefined, inTemplate: true })
      this.#last = end + 1
      this.#at = end + 2
    }
  }

  /** A regular expression ends on its line; what doesn't is none. */
  #expression(): boolean {
    const source = this.#source
    let inClass = false
    const most = Math.min(source.length, this.#at + MAX_EXPRESSION)
    for (let end = this.#at + 1; end < most && source[end] !== '\n'; end++) {
      const char = source[end]
      if (char === '\\') end++
      else if (char === '[') inClass = true
      else if (char === ']') inClass = false
      else if (char === '/' && !inClass) {
        this.#beginBare()
        this.#blank(this.#at + 1, end)
        this.#last = end
        this.#at = end + 1
        return true
      }
    }
    return false
  }

  #expectsValue(): boolean {
    const last = this.#source[this.#last]
    if (last === undefined) return true
    if (isWord(last)) return BEFORE_VALUE.has(this.#word.text)
    return !/[)\]"'`/]/.test(last)
  }

  #readWord(): void {
    this.#beginBare()
    const from = this.#at
    let to = from + 1
    while (isWord(this.#source[to])) to++
    const text = this.#source.slice(from, Math.min(to, from + 40))
    if (text === 'class' && this.#source[this.#last] !== '.') this.#class = { at: from, depth: this.#open.length }
    this.#word = { text, at: from }
    this.#last = to - 1
    this.#at = to
  }

  /** Where the parameters in front of an arrow begin: at a parenthesis, or at the only one. */
  #arrowStart(): number {
    const { from, to } = this.#lastParenthesis
    if (to >= 0 && (this.#last === to || this.#isType(to + 1, this.#at))) return from
    return this.#word.at
  }

  /** Whether there is nothing but the type that a function returns, as in TypeScript. */
  #isType(from: number, to: number): boolean {
    return to - from < 200 && /^\s*:[\s\w$.,<>[\]|&"'{}?:;]+$/.test(this.#source.slice(from, to))
  }

  #beginBrace(): void {
    const { from, to } = this.#lastParenthesis
    let block: Draft | undefined
    if (this.#arrow && this.#last === this.#arrow.at + 1) block = this.#begin('function', this.#arrow.start)
    else if (this.#class?.depth === this.#open.length) block = this.#begin('class', this.#class.at)
    else if (to >= 0 && (this.#last === to || this.#isType(to + 1, this.#at))) {
      const word = this.#wordBefore(from)
      if (!STATEMENTS.has(word)) block = this.#begin('function', from)
    }
    if (block?.kind === 'class') this.#class = undefined
    this.#arrow = undefined
    this.#lastParenthesis = { from: -1, to: -1 }
    if (block) this.#braced.push(block)
    this.#openBrace({ char: '{', at: this.#at, block, inTemplate: false })
  }

  #openBrace(open: Open): void {
    this.#open.push(open)
    this.#openBraces++
  }

  #wordBefore(at: number): string {
    let end = at
    while (end > 0 && at - end < 100 && isBlank(this.#source[end - 1])) end--
    let from = end
    while (from > 0 && end - from < 20 && isWord(this.#source[from - 1])) from--
    return this.#source.slice(from, end)
  }

  #begin(kind: Block['kind'], start: number): Draft {
    const bare = this.#bare.at(-1)
    const braced = this.#braced.at(-1)
    const around = bare && (!braced || bare.block.body > braced.body) ? bare.block : braced
    const block: Draft = { kind, start, body: this.#at, end: -1, around }
    this.#blocks.push(block)
    return block
  }

  /** Something other than a brace behind an arrow: the body is an expression. */
  #beginBare(): void {
    if (!this.#arrow) return
    const { start } = this.#arrow
    this.#arrow = undefined
    this.#bare.push({ block: this.#begin('function', start), depth: this.#open.length })
  }

  #endBare(depth: number): void {
    while (this.#bare.length > 0 && this.#bare.at(-1)!.depth >= depth) this.#bare.pop()!.block.end = this.#at
  }

  /** At the end of a line an expression ends, unless it is clear that it goes on. */
  #endBareAtLine(): void {
    const last = this.#bare.at(-1)
    if (last?.depth !== this.#open.length || /[.?:+\-*/%|&=<>,([{!]/.test(this.#source[this.#last] ?? '')) return
    let next = this.#at
    while (isBlank(this.#source[next]) && next - this.#at < 1000) next++
    if (!/[.?:+\-*/%|&=<,([]/.test(this.#source[next] ?? '')) this.#endBare(this.#open.length)
  }

  /** @returns whether it went on to the text of a template */
  #close(char: string): boolean {
    const opening = char === ')' ? '(' : char === ']' ? '[' : '{'
    // One that does not fit is left alone, but a brace closes all that was forgotten in it.
    if (this.#open.at(-1)?.char !== opening) {
      if (opening !== '{' || this.#openBraces === 0) return false
      while (this.#open.at(-1)!.char !== '{') this.#open.pop()
    }
    const { at, block, inTemplate } = this.#open.pop()!
    this.#endBare(this.#open.length + 1)
    if (opening === '{') this.#openBraces--
    if (block) {
      block.end = this.#at + 1
      this.#braced.pop()
    }
    if (opening === '(') this.#lastParenthesis = { from: at, to: this.#at }
    if (opening !== '{') {
      this.#opened.set(this.#at, at)
    }
    if (inTemplate) this.#template(this.#at + 1)
    return inTemplate
  }
}

/** The innermost block whose body an offset is in. */
export function blockAt({ blocks }: Outline, offset: number): Block | undefined {
  let low = 0
  let high = blocks.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (blocks[middle]!.body <= offset) low = middle + 1
    else high = middle
  }
  let block: Block | undefined = blocks[low - 1]
  for (let depth = 0; block && block.end <= offset && depth < MAX_DEPTH; depth++) block = block.around
  return block && block.end > offset ? block : undefined
}

/** The function or class that V8 says is at a place. */
export function blockFrom(outline: Outline, offset: number): Block | undefined {
  const { blocks, source } = outline
  // Its body is the first behind its parameters; those may have functions in them themselves.
  let low = 0
  let high = blocks.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (blocks[middle]!.body < offset) low = middle + 1
    else high = middle
  }
  for (let i = low; i < Math.min(low + 20, blocks.length); i++) if (blocks[i]!.start === offset) return blocks[i]
  const word = /^(?:async\b|function\b|static\b|[\s*\w$#(])*/.exec(source.slice(offset, offset + 100))![0].length
  const near = blocks[low]
  return near && near.start <= offset + word ? near : undefined
}

/** 1-based line and column of an offset. */
export function placeOf({ lines }: Outline, offset: number): { line: number; column: number } {
  let low = 0
  let high = lines.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (lines[middle]! <= offset) low = middle + 1
    else high = middle
  }
  return { line: low, column: offset - lines[low - 1]! + 1 }
}

/** The offset of a 1-based line and column. */
export const offsetOf = ({ lines, source }: Outline, line: number, column: number): number =>
  Math.min((lines[line - 1] ?? source.length) + column - 1, source.length)
