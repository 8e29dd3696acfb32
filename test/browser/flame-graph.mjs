// Uses a flame graph in a real browser as a person does, and fails if it does not do what a person expects.
// node test/browser/flame-graph.mjs [page.html] [--screenshot FILE]; needs Chromium, as /usr/bin/chromium or in CHROMIUM.

import { strict as assert } from 'node:assert'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import WebSocket from 'ws'
import { arrange } from '../../dist/profile/call-tree.js'
import { flameGraph, flamePage } from '../../dist/profile/flame-graph.js'
import { readFolded } from '../../dist/profile/folded.js'
import { overlay } from '../../dist/profile/merge.js'
import { atOnce } from '../../dist/support/breathing.js'

const { values, positionals } = parseArgs({ allowPositionals: true, options: { screenshot: { type: 'string' } } })
const folder = mkdtempSync(join(tmpdir(), 'leakscope-browser-'))
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--remote-debugging-port=0',
  '--window-size=1280,500',
  `--user-data-dir=${join(folder, 'profile')}`,
]
const browser = spawn(process.env.CHROMIUM ?? '/usr/bin/chromium', [...FLAGS, 'about:blank'], {
  stdio: ['ignore', 'ignore', 'pipe'],
})
try {
  const page = await openPage(await browserUrl())
  if (positionals[0]) {
    await page.goto(resolve(positionals[0]))
    console.log(`${await page.run("document.querySelectorAll('svg g').length")} frames drawn`)
  } else await check(page)
  if (values.screenshot) writeFileSync(values.screenshot, await page.screenshot())
  assert.deepEqual(page.complaints, [], 'the page complains')
  if (!positionals[0]) console.log('the flame graph does what it should')
} finally {
  const gone = once(browser, 'exit')
  browser.kill()
  await gone
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}

async function check(page) {
  const tree = (text) => arrange('a', atOnce(readFolded('a', Buffer.from(text))))
  const evil = '</script><script>document.title="broken"</script><img src=x onerror=alert(1)>'
  const current = tree(
    `main (file:///app/a.js:1:1);work (file:///app/a.js:5:3) 60\nmain (file:///app/a.js:1:1);rest 30\n${evil} 10\n`,
  )
  const column = current.self[0]
  const plain = join(folder, 'plain.html')
  writeFileSync(plain, flamePage(flameGraph(current, column, { title: `a <b> ${evil}`, unit: 'microseconds' })))
  await page.goto(plain)

  const top = "document.getElementById('graph').getBoundingClientRect().top"
  const resting = await page.run(top)
  const frames = () => page.run("[...document.querySelectorAll('svg g')].map((g) => g.textContent)")
  const widths = "[...document.querySelectorAll('svg rect')].map((r) => Number(r.getAttribute('width')))"
  assert.equal((await frames()).length, 5)
  assert.equal(await page.run('document.title'), `a <b> ${evil}`)
  const [all, main, work] = await page.run(widths)
  assert.ok(Math.abs(main / all - 0.9) < 0.01 && Math.abs(work / all - 0.6) < 0.01, `${main} and ${work} of ${all}`)

  await page.click('work')
  assert.deepEqual((await page.run(widths)).map(Math.round), [all, all, all].map(Math.round), 'a click zooms in')
  assert.equal(await page.run(top), resting, 'what is under the mouse stays there')
  assert.match(
    await page.run("document.getElementById('details').textContent"),
    /^work {2}60 µs, 60.0 % {2}\/app\/a.js:5$/,
  )
  await page.run("dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape' }))")
  assert.equal((await frames()).length, 5, 'Escape zooms out')

  await page.search('^(main|work)$')
  assert.equal(await page.run("document.getElementById('found').textContent"), 'matched: 90.0 %')
  assert.equal(await page.run("document.querySelectorAll('svg .other').length"), 3)
  await page.search('(')
  assert.match(await page.run("document.getElementById('found').textContent"), /not a regular expression/)

  const base = tree('main (file:///app/a.js:1:1);work (file:///app/a.js:5:3) 10\nmain (file:///app/a.js:1:1);gone 50\n')
  const both = overlay(current, base)
  const differential = join(folder, 'differential.html')
  const options = { title: 'what changed', unit: 'microseconds', base: both.base[0] }
  writeFileSync(differential, flamePage(flameGraph(both.tree, both.current[0], options)))
  await page.goto(differential)
  const hues = await page.run(
    "Object.fromEntries([...document.querySelectorAll('svg g')].map((g) => [g.textContent, g.firstChild.getAttribute('fill')]))",
  )
  assert.match(hues.work, /^hsl\(4 /, 'growth is red')
  assert.match(hues.gone, /^hsl\(214 /, 'what went is blue')
}

/** Where Chromium listens, as it says on its standard error. */
async function browserUrl() {
  let text = ''
  for await (const chunk of browser.stderr) {
    text += chunk
    const found = /DevTools listening on (ws:\S+)/.exec(text)
    if (found) {
      browser.stderr.resume()
      return found[1]
    }
  }
  throw new Error(`Chromium did not start: ${text}`)
}

async function openPage(url) {
  const socket = new WebSocket(url)
  await once(socket, 'open')
  const waiting = new Map()
  const events = new Map()
  const complaints = []
  socket.on('message', (data) => {
    const { id, method, params, result, error } = JSON.parse(data)
    if (error) waiting.get(id)?.reject(new Error(error.message))
    else if (id !== undefined) waiting.get(id)?.resolve(result)
    else if (method === 'Network.requestWillBeSent' && !/^(file|data):/.test(params.request.url)) {
      complaints.push(`it asked for ${params.request.url}`)
    } else if (method === 'Runtime.exceptionThrown') complaints.push(params.exceptionDetails.exception.description)
    else if (method === 'Log.entryAdded') complaints.push(params.entry.text)
    events.get(method)?.()
  })
  let last = 0
  let sessionId
  const send = (method, params = {}) => {
    const id = ++last
    const answer = new Promise((resolve, reject) => waiting.set(id, { resolve, reject }))
    socket.send(JSON.stringify({ id, method, params, sessionId }))
    return answer
  }
  const { targetId } = await send('Target.createTarget', { url: 'about:blank' })
  sessionId = (await send('Target.attachToTarget', { targetId, flatten: true })).sessionId
  for (const domain of ['Page', 'Runtime', 'Network', 'Log']) await send(`${domain}.enable`)

  const run = async (expression) => {
    const { result, exceptionDetails } = await send('Runtime.evaluate', { expression, returnByValue: true })
    if (exceptionDetails) throw new Error(exceptionDetails.exception.description)
    return result.value
  }
  const settle = () => new Promise((resolve) => setTimeout(resolve, 100))
  return {
    complaints,
    run,
    async goto(path) {
      const loaded = new Promise((resolve) => events.set('Page.loadEventFired', resolve))
      await send('Page.navigate', { url: pathToFileURL(path).href })
      await loaded
    },
    /** With the mouse, in the middle of the frame that has this text. */
    async click(text) {
      const [x, y] = await run(
        `(() => { const at = [...document.querySelectorAll('svg g')].find((g) => g.textContent === '${text}').getBoundingClientRect(); return [at.x + at.width / 2, at.y + at.height / 2] })()`,
      )
      await send('Input.dispatchMouseEvent', { type: 'mouseMoved', x, y })
      for (const type of ['mousePressed', 'mouseReleased']) {
        await send('Input.dispatchMouseEvent', { type, x, y, button: 'left', clickCount: 1 })
      }
      await settle()
    },
    async search(text) {
      await run("document.getElementById('search').value = ''; document.getElementById('search').focus()")
      await send('Input.insertText', { text })
      await settle()
    },
    screenshot: async () => Buffer.from((await send('Page.captureScreenshot')).data, 'base64'),
  }
}
