// How the flame graph looks and behaves in a browser: the style and the script of its page, which load nothing else.

export const FLAME_STYLE = `
:root { color-scheme: light dark; --text: #1d1d1f; --back: #fff; --dim: #6b6b70; --line: #d9d9de; }
@media (prefers-color-scheme: dark) { :root { --text: #ececf0; --back: #1a1a1d; --dim: #a0a0a8; --line: #3a3a40; } }
body { margin: 0; padding: 12px 16px 40px; background: var(--back); color: var(--text); font: 13px/1.4 system-ui, sans-serif; }
header { display: flex; flex-wrap: wrap; gap: 8px 16px; align-items: center; margin-bottom: 10px; }
h1 { font-size: 15px; font-weight: 600; margin: 0; flex: 1 1 auto; overflow-wrap: anywhere; }
form { margin: 0; }
input { font: inherit; width: 22em; max-width: 100%; padding: 3px 8px; }
button { font: inherit; padding: 2px 10px; }
output { min-width: 9em; color: var(--dim); }
svg { display: block; width: 100%; user-select: none; }
svg g { cursor: pointer; }
svg rect { stroke: var(--back); stroke-width: 1; }
svg g:hover rect, svg g:focus rect { stroke: var(--text); }
svg g:focus { outline: none; }
svg text { font: 12px ui-monospace, monospace; fill: #16161a; pointer-events: none; }
svg .above rect { opacity: .55; }
svg .other rect { opacity: .25; }
footer { position: fixed; inset: auto 0 0 0; min-height: 1.4em; padding: 6px 16px; background: var(--back); border-top: 1px solid var(--line); overflow-wrap: anywhere; }
footer .place { color: var(--dim); }
`

/** Plain JavaScript for the browser. It writes what comes from the profile as text, never as markup. */
export const FLAME_SCRIPT = `
'use strict'
const graph = JSON.parse(document.getElementById('data').textContent)
const svg = document.getElementById('graph')
const details = document.getElementById('details')
const search = document.getElementById('search')
const found = document.getElementById('found')
const reset = document.getElementById('reset')
const SVG = 'http://www.w3.org/2000/svg'
const ROW = 19
const NARROWEST = 0.7
const LETTER = 7.3

// By frame: where it begins and how wide it is, in the graph's unit; the index behind the last frame below it.
const frames = graph.frames.map(([fn, depth, amount, base, width]) => ({ fn, depth, amount, base, width, start: 0, end: 0 }))
const open = []
frames.forEach((frame, index) => {
  while (open.length > frame.depth) frames[open.pop()].end = index
  const above = open.length ? frames[open[open.length - 1]] : undefined
  frame.index = index
  frame.above = above
  frame.start = above ? above.next : 0
  frame.next = frame.start
  if (above) above.next += frame.width
  open.push(index)
})
while (open.length) frames[open.pop()].end = frames.length

let focused = frames[0]
let pattern

function amountText(value) {
  const sign = value < 0 ? '-' : ''
  let number = Math.abs(value)
  let units = [graph.unit === 'count' ? '' : graph.unit]
  let step = 1000
  if (graph.unit === 'bytes') units = ['B', 'KB', 'MB', 'GB', 'TB']
  if (graph.unit === 'microseconds') units = ['\\u00b5s', 'ms', 's']
  let at = 0
  while (number >= step && at < units.length - 1) { number /= step; at++ }
  const digits = at === 0 || number >= 100 ? 0 : number >= 10 ? 1 : 2
  return sign + number.toFixed(digits) + (units[at] ? ' ' + units[at] : '')
}

const share = (part) => (frames[0].width > 0 ? (100 * part / frames[0].width).toFixed(1) : '0.0') + ' %'

function colorOf(frame) {
  if (frame.index === 0) return 'hsl(220 8% 78%)'
  if (graph.differential) {
    const change = frame.amount - frame.base
    const strength = frame.width > 0 ? Math.min(1, Math.abs(change) / frame.width) : 0
    if (strength < 0.01) return 'hsl(220 8% 86%)'
    return 'hsl(' + (change > 0 ? 4 : 214) + ' ' + Math.round(30 + 50 * strength) + '% ' + Math.round(86 - 26 * strength) + '%)'
  }
  const [name, , kind] = graph.functions[frame.fn]
  let hash = 0
  for (const letter of kind === '' ? name : kind) hash = (hash * 31 + letter.codePointAt(0)) >>> 0
  if (kind === 'node') return 'hsl(205 ' + (30 + hash % 20) + '% 76%)'
  if (kind === 'native') return 'hsl(220 8% 80%)'
  if (kind === '') return 'hsl(' + (18 + hash % 32) + ' ' + (75 + hash % 20) + '% ' + (64 + hash % 9) + '%)'
  return 'hsl(' + (90 + hash % 80) + ' 40% 70%)'
}

const matches = (frame) => {
  const [name, place] = graph.functions[frame.fn]
  return frame.index > 0 && (pattern.test(name) || pattern.test(place))
}

function element(frame, x, width, y, above) {
  const group = document.createElementNS(SVG, 'g')
  const rect = document.createElementNS(SVG, 'rect')
  rect.setAttribute('x', x.toFixed(1))
  rect.setAttribute('y', y)
  rect.setAttribute('width', Math.max(0.5, width).toFixed(1))
  rect.setAttribute('height', ROW)
  rect.setAttribute('fill', pattern && matches(frame) ? 'hsl(300 85% 68%)' : colorOf(frame))
  group.append(rect)
  const letters = Math.floor((width - 6) / LETTER)
  if (letters >= 3) {
    const name = graph.functions[frame.fn][0]
    const text = document.createElementNS(SVG, 'text')
    text.setAttribute('x', (x + 4).toFixed(1))
    text.setAttribute('y', y + 13.5)
    text.textContent = name.length > letters ? name.slice(0, letters - 1) + '\\u2026' : name
    group.append(text)
  }
  const classes = []
  if (above) classes.push('above')
  if (pattern && !matches(frame)) classes.push('other')
  if (classes.length) group.setAttribute('class', classes.join(' '))
  group.setAttribute('tabindex', '0')
  group.dataset.frame = frame.index
  return group
}

function draw() {
  const width = svg.clientWidth || 1000
  const scale = focused.width > 0 ? width / focused.width : 0
  const drawn = []
  let depth = 0
  for (let above = focused.above; above; above = above.above) {
    drawn.push(element(above, 0, width, above.depth * ROW, true))
  }
  for (let i = focused.index; i < focused.end;) {
    const frame = frames[i]
    const wide = frame.width * scale
    // Nothing below is wider.
    if (wide < NARROWEST && i !== focused.index) { i = frame.end; continue }
    drawn.push(element(frame, (frame.start - focused.start) * scale, wide, frame.depth * ROW, false))
    depth = Math.max(depth, frame.depth)
    i++
  }
  svg.setAttribute('height', (depth + 1) * ROW + 2)
  svg.replaceChildren(...drawn)
  // It keeps its room: what is under the mouse must not move when it comes.
  reset.style.visibility = focused.index === 0 ? 'hidden' : 'visible'
}

function show(frame) {
  const [name, place] = graph.functions[frame.fn]
  details.replaceChildren()
  const strong = document.createElement('strong')
  strong.textContent = name
  const small = document.createElement('span')
  small.className = 'place'
  small.textContent = place ? '  ' + place : ''
  const change = frame.amount - frame.base
  const figures = graph.differential
    ? '  ' + (change > 0 ? '+' : '') + amountText(change) + ' (' + amountText(frame.base) + ' \\u2192 ' + amountText(frame.amount) + ')'
    : '  ' + amountText(frame.amount) + ', ' + share(frame.amount)
  details.append(strong, figures, small)
}

function idle() {
  const left = graph.leftOut ? graph.leftOut.toLocaleString('en-US') + ' frames too narrow to see are left out. ' : ''
  const colors = graph.differential ? 'Red took more than in the base, blue less; a frame is as wide as the larger of the two. ' : ''
  details.textContent = colors + left + 'Click a frame to zoom in, Esc to see the whole graph.'
}

function find() {
  try {
    pattern = search.value === '' ? undefined : new RegExp(search.value, 'i')
    search.setCustomValidity('')
  } catch (error) {
    search.setCustomValidity(error.message)
    found.textContent = 'not a regular expression'
    return
  }
  let sum = 0
  let count = 0
  if (pattern) {
    for (let i = 0; i < frames.length;) {
      if (!matches(frames[i])) { i++; continue }
      // What is below is part of it.
      sum += graph.differential ? frames[i].width : frames[i].amount
      count++
      i = frames[i].end
    }
  }
  found.textContent = pattern ? (count === 0 ? 'no match' : 'matched: ' + share(sum)) : ''
  draw()
}

function zoom(frame) {
  focused = frame
  draw()
}

const frameAt = (event) => {
  const group = event.target.closest && event.target.closest('g')
  return group ? frames[Number(group.dataset.frame)] : undefined
}
svg.addEventListener('click', (event) => { const frame = frameAt(event); if (frame) zoom(frame) })
svg.addEventListener('mouseover', (event) => { const frame = frameAt(event); if (frame) show(frame) })
svg.addEventListener('focusin', (event) => { const frame = frameAt(event); if (frame) show(frame) })
svg.addEventListener('mouseleave', idle)
svg.addEventListener('keydown', (event) => { const frame = frameAt(event); if (frame && event.key === 'Enter') zoom(frame) })
reset.addEventListener('click', () => zoom(frames[0]))
document.querySelector('form').addEventListener('submit', (event) => event.preventDefault())
search.addEventListener('input', find)
addEventListener('keydown', (event) => {
  if (event.key === 'Escape') zoom(frames[0])
  if (event.key === '/' && document.activeElement !== search) { event.preventDefault(); search.focus() }
})
addEventListener('resize', draw)
idle()
draw()
`
