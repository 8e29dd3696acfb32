import { describe, expect, it } from 'vitest'
import { reportGithub } from '../../src/report/github.ts'
import { reportMarkdown } from '../../src/report/markdown.ts'
import { CHECK, EVIL, EVIL_FINDING, FINDING, NOWHERE, OPTIONS, reportWith } from './reports.ts'

describe('annotations of GitHub Actions', () => {
  it('stand beside the line', () => {
    expect(reportGithub(reportWith({ findings: [FINDING] }), OPTIONS)).toBe(
      '::error file=src/a b/chat.mjs,line=42,col=7,title=growing-collection::' +
        'sessions gained 1,204 Session, 40.1 more each second%0ATake out of it what is done with.',
    )
  })

  it('are one line each, whatever a heap calls its things', () => {
    const text = reportGithub(reportWith({ findings: [EVIL_FINDING, { ...FINDING, pattern: 'a:b,c' }] }), OPTIONS)
    const lines = text.split(/\r|\n/)
    expect(lines).toHaveLength(2)
    expect(lines[0]).toContain('%250A::error::,%0D%0A]]>')
    expect(lines[1]).toContain('title=a%3Ab%2Cc::')
  })

  it('warn of what is no reason to fail, tell of what is known, and keep quiet of what is suppressed', () => {
    const findings = [
      { ...FINDING, status: 'known' as const },
      { ...NOWHERE, status: 'suppressed' as const },
    ]
    const text = reportGithub(reportWith({ findings }), OPTIONS)
    expect(text).toMatch(/^::notice file=.*title=growing-collection \(known\)::/)
    expect(text.split('\n')).toHaveLength(1)
    expect(reportGithub(reportWith({}), OPTIONS)).toMatch(/^::notice title=leakscope::No leak found/)
  })

  it('say what a check measured', () => {
    expect(reportGithub(reportWith({ check: CHECK }), OPTIONS)).toMatch(/^::error title=leakscope check::Failed/)
  })
})

describe('Markdown', () => {
  it('tells each finding with its line, its path and what to do', () => {
    const text = reportMarkdown(reportWith({ findings: [FINDING], check: CHECK }), OPTIONS)
    expect(text).toContain('## leakscope check')
    expect(text).toContain('**1 leak found**, which explains 90 % of the 100 B')
    expect(text).toContain('`src/a b/chat.mjs:42:7` in `open`')
    expect(text).toContain('> 42    sessions.set(id, new Session())')
    expect(text).toContain('leaking: yes  ~.sessions~ Map  (it came)')
    expect(text).toContain('| round | iterations | heap after GC | change |')
  })

  it('says of a waste of CPU time that it is no leak', () => {
    const growth = { count: 0, shallowBytes: 0, retainedBytes: 0, perSecond: 0, bytesPerSecond: 0, holders: 0 }
    const waste = { ...FINDING, growth, wastes: 'cpu' as const, pattern: 'busy-loop', retainingPath: [] }
    const text = reportMarkdown(reportWith({ findings: [waste] }), OPTIONS)
    expect(text).toContain('**No leak, but a waste of CPU time**: nothing rose as a leak does')
    expect(text).not.toMatch(/Holds|leaking:/)
    expect(reportMarkdown(reportWith({ findings: [FINDING, waste, waste] }), OPTIONS)).toContain(
      '**1 leak found**, which explains 90 % of the 100 B that came and stayed; and 2 wastes of CPU time.',
    )
    expect(reportMarkdown(reportWith({ findings: [waste], explained: null }), OPTIONS)).toContain(
      '**A waste of CPU time**; nobody has looked for leaks.',
    )
  })

  it('lets nothing from a heap be markup, a mention or a link', () => {
    const text = reportMarkdown(
      reportWith({ findings: [{ ...EVIL_FINDING, title: `${EVIL} https://evil.example` }] }),
      OPTIONS,
    )
    const outside = text
      .replace(/^(`{3,})[^`]*?\n[\s\S]*?^\1$/gm, '')
      .replace(/(?<!\\)(`+)[^`][\s\S]*?(?<!`)\1(?!`)/g, '')
    expect(outside).not.toMatch(/(?<!\\)<b|(?<!\\)\*\*@|@you|https:\/\//)
    expect(text).not.toMatch(/[\u0000\u001b]/)
  })
})
