// Copyright (C) Strata contributors
// SPDX-License-Identifier: BSD-2-Clause

// The engine's results as verdicts.  A test counts only if those it depends on
// pass.

export const KINDS = ['required', 'optimal', 'check']

export function judge (sets, results) {
  const tests = new Map()
  const verdicts = {}

  for (const set of sets) {
    for (const test of set.tests) {
      if (!test.browser_only) {
        tests.set(test.id, { group: set.id, ...test })
      }
    }
  }

  for (const [id, test] of tests) {
    verdicts[id] = {
      group: test.group,
      name: test.name,
      kind: test.kind || 'required',
      needs: test.depends_on || [],
      ...verdict(id)
    }
  }

  return verdicts

  function verdict (id) {
    const test = tests.get(id)
    const result = results[id]
    const blocked = (test.depends_on || [])
      .find(other => !verdict(other).ok)

    if (result === undefined) {
      return { ok: false, outcome: 'untested', detail: '' }
    }

    if (blocked) {
      return { ok: false, outcome: 'dependency', detail: blocked }
    }

    if (result === true) {
      return { ok: true, outcome: 'pass', detail: '' }
    }

    const outcome = {
      Setup: result[1] === 'retry' ? 'retry' : 'setup', Assertion: 'fail'
    }
    return {
      ok: false, outcome: outcome[result[0]] || 'harness', detail: result[1]
    }
  }
}

export function count (verdicts, kind, left = new Set()) {
  const all = Object.entries(verdicts)
    .filter(([id, v]) => v.kind === kind && !left.has(id))
  return [all.filter(([, v]) => v.ok).length, all.length]
}
