// Copyright (C) Strata contributors
// SPDX-License-Identifier: BSD-2-Clause

// docs/conformance.md, from verdicts and reasons.

import { KINDS, count } from './judge.mjs'

export function report (verdicts, reasons, peers) {
  const { newest, npm } = verdicts
  const opposite = new Set(reasons.opposite)
  const unexplained = []
  const lines = []
  const out = (...more) => lines.push(...more)
  const figure = (set, kind, left) => count(set, kind, left).join('/')
  const reason = (id, list) =>
    list.find(([ids]) => new RegExp(`^(${ids})$`).test(id))?.[1]

  out('# Conformance', '',
    'Measured with the public suite for HTTP caches, http-cache-tests, by',
    '`make conformance`, which writes this page: a real nginx with the module and',
    '`conf.example/conformance.conf`. *Required* is what RFC 9111 and its kin say a',
    'cache MUST do, *optimal* what a good one does, *check* what is worth knowing;',
    'there a "no" is no fault. A test counts only if those it depends on pass.',
    '', '## Figures', '',
    'The suite as its repository has it today (commit b55b8bd), without what is for',
    'browsers. The others were measured once, on one machine, with the same suite.',
    '', '| cache | required | optimal | check "yes" |', '|---|---|---|---|',
    '| **Strata** | ' + KINDS.map(k => `**${figure(newest, k)}**`).join(' | ') +
      ' |')

  const [, required] = count(newest, 'required')
  const [, optimal] = count(newest, 'optimal')
  const [, check] = count(newest, 'check')
  for (const [name, ...n] of [...peers].sort((a, b) => b[1] - a[1])) {
    out(`| ${name} | ${n[0]}/${required} | ${n[1]}/${optimal} | ` +
      `${n[2]}/${check} |`)
  }

  out('',
    'The published package, 0.4.5, is older. 16 of its tests ask for the opposite',
    'of what the suite says today and are left out here: ' +
      [...opposite].sort().map(id => `\`${id}\``).join(', ') + '.', '',
    '| package 0.4.5 | required | optimal | check "yes" |', '|---|---|---|---|',
    '| **Strata** | ' +
      KINDS.map(k => figure(npm, k, opposite)).join(' | ') + ' |',
    '', '## By group', '', '| group | required | optimal | check "yes" |',
    '|---|---|---|---|')

  for (const group of new Set(Object.values(newest).map(v => v.group))) {
    const of = Object.fromEntries(Object.entries(newest)
      .filter(([, v]) => v.group === group))
    out(`| ${group} | ` + KINDS.map(k => {
      const [ok, n] = count(of, k)
      return n ? `${ok}/${n}` : ''
    }).join(' | ') + ' |')
  }

  const titles = {
    required: '## Required tests not passed',
    optimal: '## Optimal tests not passed',
    check: '## Checks answered "no"'
  }

  for (const kind of KINDS) {
    const open = Object.entries(newest)
      .filter(([, v]) => v.kind === kind && !v.ok)
    out('', titles[kind], '')
    if (open.length === 0) {
      out('None.')
      continue
    }
    table(open)
  }

  const others = Object.entries(npm).filter(([id, v]) =>
    !v.ok && !opposite.has(id) && (newest[id]?.ok ?? true))
  out('', '## Tests as the package has them', '',
    'Not passed as published, but changed in the suite since, or dropped:', '')
  table(others, reasons.package)

  return { text: lines.join('\n') + '\n', unexplained }

  // One line for each reason.
  function table (open, list = reasons.suite) {
    const by = new Map()
    for (const [id, v] of open) {
      const why = reason(id, list) || (v.outcome === 'dependency'
        ? `depends on \`${v.detail}\`` : undefined)
      if (why === undefined && v.kind !== 'check') {
        unexplained.push([id, v])
      }
      const key = why || 'not looked into'
      by.set(key, [...(by.get(key) || []), id])
    }
    out('| test | why |', '|---|---|')
    for (const [why, ids] of by) {
      out(`| ${ids.map(id => `\`${id}\``).join(', ')} | ${why} |`)
    }
  }
}
