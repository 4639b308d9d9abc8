// Copyright (C) Strata contributors
// SPDX-License-Identifier: BSD-2-Clause

// The package's origin, and what newest.json asks of it beyond that: interim
// responses and answers that take a while.

import http from 'node:http'

export async function startOrigin (suite) {
  const [config, state, test, utils] = await Promise.all([
    import(`${suite}/server/handle-config.mjs`),
    import(`${suite}/server/handle-state.mjs`),
    import(`${suite}/server/handle-test.mjs`),
    import(`${suite}/server/utils.mjs`)
  ])

  function step (uuid, request) {
    const steps = utils.configs.get(uuid) || []
    const n = Number.parseInt(request.headers['req-num']) ||
      (utils.stash.get(uuid) || []).length + 1
    return steps[n - 1] || {}
  }

  function answer (path, request, response) {
    const { response_pause: pause, interim_responses: interim } =
      step(path[0], request)

    setTimeout(() => {
      for (const [status, fields = []] of interim || []) {
        if (status === 102) {
          response.writeProcessing()
        } else {
          response.writeEarlyHints(Object.fromEntries(fields))
        }
      }

      test.default(path, request, response)
    }, (pause || 0) * 1000)
  }

  const server = http.createServer((request, response) => {
    const [, what, ...path] = request.url.split('?')[0].split('/')

    switch (what) {
      case 'config': return config.default(path, request, response)
      case 'state': return state.default(path, request, response)
      case 'test': return answer(path, request, response)
      default: response.writeHead(404).end()
    }
  })

  await new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })

  return server
}
