// newman: GET, then POST.  Arguments: URL of the GET, URL of the POST, its JSON.
const newman = require('newman')

const [get, post, body] = process.argv.slice(2)
const authorization = { key: 'Authorization', value: 'Bearer token' }
const json = { key: 'Content-Type', value: 'application/json' }
const collection = {
  info: { name: 'GET, then POST', schema: 'https://schema.getpostman.com/json/collection/v2.1.0/collection.json' },
  item: [
    { name: 'GET', request: { method: 'GET', url: get, header: [authorization] } },
    { name: 'POST', request: { method: 'POST', url: post, header: [authorization, json], body: { mode: 'raw', raw: body } } }
  ]
}

newman.run({ collection }, (error, summary) => {
  const failures = error ? [error] : summary.run.failures.map(failure => failure.error)
  failures.forEach(failure => console.error(failure.message))
  process.exitCode = failures.length ? 1 : 0
}).on('request', (error, { response }) => error || console.log(response.code))
