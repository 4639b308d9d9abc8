#!/usr/bin/env node
// Copyright (C) Strata contributors
// SPDX-License-Identifier: BSD-2-Clause
//
// usage: t/conformance/run.mjs [update] [TEST]
//
// Runs the suite, compares with baseline.json, writes docs/conformance.md.  Ends
// with "N passed, N failed", where a failure is a test that the baseline has as
// passed.  What it fails twice, the second time almost alone, it fails.

import { spawn, execFileSync } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { pathToFileURL, fileURLToPath } from 'node:url'

import { KINDS, count, judge } from './judge.mjs'
import { report } from './report.mjs'
import { startOrigin } from './origin.mjs'

const HERE = path.dirname(fileURLToPath(import.meta.url))
const ROOT = path.resolve(HERE, '../..')
const BUILD = path.join(ROOT, 'build/conformance')
const CONF = path.join(ROOT, 'conf.example/conformance.conf')
const SUITE = path.join(BUILD, 'node_modules/http-cache-tests')
const BASELINE = path.join(HERE, 'baseline.json')
const DOCS = path.join(ROOT, 'docs/conformance.md')
const AGAIN_MAX = 20

const args = process.argv.slice(2)
const update = args[0] === 'update' && args.shift()
const only = args[0] || ''

const read = file => JSON.parse(fs.readFileSync(path.join(HERE, file)))
const nginx = {}

install()

try {
  process.exitCode = only ? await one() : await all()
} finally {
  nginx.process?.kill('SIGTERM')
  await nginx.exited
}

process.exit()

async function all () {
  const reasons = read('reasons.json')
  const sets = { newest: read('newest.json'), npm: await published() }
  const base = await start()
  const verdicts = {}

  for (const which of ['newest', 'npm']) {
    verdicts[which] = judge(sets[which], await runSuite(which, base))
  }

  const opposite = new Set(reasons.opposite)
  const seen = {
    newest: passed(verdicts.newest),
    npm: passed(verdicts.npm).filter(id => !opposite.has(id))
  }
  const before = fs.existsSync(BASELINE)
    ? JSON.parse(fs.readFileSync(BASELINE)) : { newest: [], npm: [] }
  const failed = []

  for (const which of ['newest', 'npm']) {
    const lost = before[which].filter(id => !seen[which].includes(id))
    const still = await again(which, base, sets[which], lost)

    seen[which] = passed(verdicts[which]).filter(id => which === 'newest' ||
      !opposite.has(id))
    still.forEach(id => failed.push(`${which}: ${id}: ` +
      say(verdicts[which][id])))
    lost.filter(id => !still.includes(id)).forEach(id => {
      console.log(`${which}: ${id}: passed when run again, before: ` +
        say(verdicts[which][id]))
      verdicts[which][id].ok = true
      verdicts[which][id].outcome = 'pass'
      seen[which].push(id)
    })

    const gained = seen[which].filter(id => !before[which].includes(id))
    if (gained.length && !update) {
      console.log(`${which}: not in the baseline: ${gained.join(' ')}`)
    }
  }

  for (const kind of KINDS) {
    const [ok, of] = count(verdicts.newest, kind)
    console.log(`${kind}: ${ok} of ${of}`)
  }

  const { text, unexplained } = report(verdicts, reasons, read('peers.json'))
  fs.writeFileSync(DOCS, text)
  unexplained.forEach(([id, verdict]) =>
    failed.push(`no reason in reasons.json: ${id}: ${say(verdict)}`))

  if (update) {
    const lines = ids => ids.sort().map(id => `  ${JSON.stringify(id)}`)
    fs.writeFileSync(BASELINE, '{\n"newest": [\n' +
      lines(seen.newest).join(',\n') + '\n],\n"npm": [\n' +
      lines(seen.npm).join(',\n') + '\n]\n}\n')
  }

  failed.forEach(line => console.log(`FAILED ${line}`))
  console.log(`${seen.newest.length + seen.npm.length} passed, ` +
    `${failed.length} failed`)
  return failed.length ? 1 : 0
}

async function one () {
  const sets = read('newest.json')
  const base = await start()
  const result = (await runSuite('newest', base, only, 'show'))[only]

  if (result === undefined) {
    console.log(`no test "${only}" in newest.json`)
    return 2
  }

  const test = sets.flatMap(set => set.tests).find(t => t.id === only)
  console.log(`${test.name}\n${result === true ? 'passed' : result.join(': ')}`)
  return result === true ? 0 : 1
}

// What was lost, tried once more, one after the other.
async function again (which, base, sets, lost) {
  if (lost.length > AGAIN_MAX) {
    return lost
  }

  const results = {}
  const tests = new Map(sets.flatMap(s => s.tests).map(t => [t.id, t]))

  for (const id of lost) {
    for (const each of [id, ...needed(id)]) {
      results[each] ??= (await runSuite(which, base, each))[each]
    }
  }

  const verdicts = judge(sets, results)
  return lost.filter(id => !verdicts[id]?.ok)

  function needed (id) {
    return (tests.get(id)?.depends_on || []).flatMap(d => [d, ...needed(d)])
  }
}

async function published () {
  const of = file => import(pathToFileURL(`${SUITE}/tests/${file}.mjs`))
  const [tests, surrogate] = await Promise.all([
    of('index'), of('surrogate-control')
  ])
  return [...tests.default, surrogate.default]
}

function passed (verdicts) {
  return Object.keys(verdicts).filter(id => verdicts[id].ok)
}

function say (verdict) {
  return verdict ? `${verdict.outcome}: ${verdict.detail}` : 'is gone'
}

// The package and what it needs, as in the lock file, into build/.
function install () {
  const lock = fs.readFileSync(`${HERE}/package-lock.json`)
  const mark = `${BUILD}/node_modules/.lock`

  if (fs.existsSync(mark) && fs.readFileSync(mark).equals(lock)) {
    return
  }

  fs.mkdirSync(BUILD, { recursive: true })
  for (const file of ['package.json', 'package-lock.json']) {
    fs.copyFileSync(`${HERE}/${file}`, `${BUILD}/${file}`)
  }

  execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts',
    '--loglevel=error'], { cwd: BUILD, stdio: ['ignore', 'ignore', 'inherit'] })
  fs.writeFileSync(mark, lock)
}

// The origin, and nginx in front of it; the address of the latter.
async function start () {
  const origin = await startOrigin(pathToFileURL(SUITE).href)
  const port = await freePort()
  const conf = fs.readFileSync(CONF, 'utf8')
    .replaceAll('127.0.0.1:8081', `127.0.0.1:${origin.address().port}`)
    .replaceAll('127.0.0.1:8080', `127.0.0.1:${port}`)

  fs.writeFileSync(`${BUILD}/conformance.conf`, conf)

  const log = fs.openSync(`${BUILD}/error.log`, 'w')
  nginx.process = spawn('t/build/example',
    [`${BUILD}/conformance.conf`, `${BUILD}/nginx`],
    { cwd: ROOT, stdio: ['ignore', log, log] })
  nginx.exited = new Promise(resolve => nginx.process.once('exit', resolve))

  for (let i = 0; i < 100; i++) {
    if (nginx.process.exitCode !== null) {
      break
    }
    if (await listens(port)) {
      return `http://127.0.0.1:${port}`
    }
    await new Promise(resolve => setTimeout(resolve, 50))
  }

  throw new Error('nginx does not run:\n' +
    fs.readFileSync(`${BUILD}/error.log`, 'utf8'))
}

function freePort () {
  return new Promise((resolve, reject) => {
    const server = net.createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

function listens (port) {
  return new Promise(resolve => {
    const socket = net.connect(port, '127.0.0.1')
    socket.once('connect', () => { socket.destroy(); resolve(true) })
    socket.once('error', () => resolve(false))
  })
}

async function runSuite (which, base, test = '', show = '') {
  const output = `${BUILD}/${which}.json`
  const child = spawn(process.execPath, ['--no-warnings', `${HERE}/client.mjs`,
    pathToFileURL(SUITE).href, base, which, output, test,
    show], { stdio: ['ignore', show ? 'inherit' : 'ignore', 'inherit'] })
  const code = await new Promise(resolve => child.once('exit', resolve))

  if (code !== 0) {
    throw new Error(`client.mjs ${which}: ${code}`)
  }

  return JSON.parse(fs.readFileSync(output))
}
