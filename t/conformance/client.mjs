// Copyright (C) Strata contributors
// SPDX-License-Identifier: BSD-2-Clause
//
// usage: node client.mjs SUITE BASE newest|npm OUTPUT [TEST [show]]
//
// Runs the tests of newest.json, or of the package, with the package's engine,
// and writes its results.  What newest.json needs and the engine of 0.4.5 has
// not got is added around its fetch function:
//
//   - the two harmless fields that mark each request stay beside others
//   - a test can expect interim responses
//   - expected_status null: any
//   - no request takes longer than 10 seconds

import fs from 'node:fs'
import http from 'node:http'

const TIMEOUT = 10000
const CHUNK = 25

const [suite, base, which, output, only, show] = process.argv.slice(2)

const { runTests, getResults } = await import(`${suite}/client/runner.mjs`)
const { assert } = await import(`${suite}/lib/utils.mjs`)

const load = { newest: loadNewest, npm: loadNpm }
const { sets, ask } = await load[which]()

const chosen = sets.map(set => ({
  ...set, tests: set.tests.filter(test => !only || test.id === only)
}))

if (show) {
  chosen.forEach(set => set.tests.forEach(test => { test.dump = true }))
}

await runTests(chosen, ask, false, base, CHUNK)
fs.writeFileSync(output, JSON.stringify(getResults()))
process.exit(0)

async function loadNpm () {
  const [tests, surrogate, fetcher] = await Promise.all([
    import(`${suite}/tests/index.mjs`),
    import(`${suite}/tests/surrogate-control.mjs`),
    import(`${suite}/../node-fetch/lib/index.mjs`)
  ])

  return {
    sets: [...tests.default, surrogate.default],
    ask: (url, init) => fetcher.default(url, { timeout: TIMEOUT, ...init })
  }
}

function loadNewest () {
  const file = new URL('newest.json', import.meta.url)
  const sets = JSON.parse(fs.readFileSync(file))
  const tests = new Map()

  for (const test of sets.flatMap(set => set.tests)) {
    tests.set(test.id, test)
    test.requests.forEach(adapt)
  }

  return { sets, ask: (url, init) => askNewest(tests, url, init) }
}

function adapt (step) {
  if (step.pause_after !== true) {
    delete step.pause_after
  }

  if (step.expected_status === null) {
    Object.defineProperty(step, 'expected_status', { get: () => step.seen })
  }
}

async function askNewest (tests, url, init) {
  const fields = init?.headers || []
  const field = name => fields.find(f => f[0] === name)?.[1]
  const test = tests.get(field('Test-ID'))

  if (test === undefined) {
    return fetch(url, init)
  }

  const step = test.requests[field('Req-Num') - 1]
  const marks = [['Pragma', 'foo'], ['Cache-Control', 'nothing-to-see-here']]
  const ours = fields === step.request_headers ? marks : []
  const asked = {
    ...init,
    headers: [...ours, ...fields],
    signal: AbortSignal.timeout(TIMEOUT)
  }

  const answer = step.expected_interim_responses
    ? await askInterim(url, asked, step)
    : await fetch(url, asked)

  step.seen = answer.status
  return answer
}

async function askInterim (url, init, step) {
  const interim = []
  const response = await new Promise((resolve, reject) => {
    const request = http.request(url, {
      method: init.method || 'GET', signal: init.signal, agent: false
    })

    init.headers.forEach(([name, value]) => request.appendHeader(name, value))
    request.on('information', i => interim.push([i.statusCode, i.headers]))
    request.on('response', resolve)
    request.on('error', reject)
    request.end()
  })

  const body = []
  for await (const part of response) {
    body.push(part)
  }

  const setup = step.setup === true ||
    (step.setup_tests || []).includes('expected_interim_responses')
  const expected = step.expected_interim_responses

  expected.forEach(([status, fields = []], n) => {
    const [seen, got = {}] = interim[n] || []
    assert(setup, seen === status,
      `Interim response ${n + 1} is ${seen}, not ${status}`)
    fields.forEach(([name]) => assert(setup, name.toLowerCase() in got,
      `Interim response ${n + 1} has no ${name}`))
  })

  assert(setup, interim.length === expected.length,
    `Received ${interim.length} interim responses, not ${expected.length}`)

  const headers = []
  for (let i = 0; i < response.rawHeaders.length; i += 2) {
    headers.push(response.rawHeaders.slice(i, i + 2))
  }

  return new Response(Buffer.concat(body),
    { status: response.statusCode, headers })
}
