// undici: GET, then POST.  Arguments: which agent, URL of the GET, URL of the POST, its JSON.
const { EnvHttpProxyAgent, ProxyAgent, request } = require('undici')

const agents = {
  env: () => new EnvHttpProxyAgent(),
  untunnelled: () => new EnvHttpProxyAgent({ proxyTunnel: false }),
  agent: () => new ProxyAgent(process.env.HTTPS_PROXY)
}

async function main ([agent, get, post, body]) {
  const dispatcher = agents[agent]()
  for (const [url, more] of [[get, {}], [post, { method: 'POST', body }]]) {
    const headers = { authorization: 'Bearer token', ...(more.body && { 'content-type': 'application/json' }) }
    const answer = await request(url, { dispatcher, headers, ...more })
    await answer.body.dump()
    console.log(answer.statusCode)
  }
  await dispatcher.close()
}

main(process.argv.slice(2)).catch(error => { console.error(error); process.exit(1) })
