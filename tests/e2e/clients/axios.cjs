// axios: GET, then POST.  Arguments: module, who connects ("own" or "agent"), URL of the GET, URL of the POST, its JSON.
const [name, who, get, post, body] = process.argv.slice(2)
const axios = require(name)

function agent () {
  const { HttpsProxyAgent } = require('https-proxy-agent')
  const through = new HttpsProxyAgent(process.env.HTTPS_PROXY)
  return { proxy: false, httpAgent: through, httpsAgent: through }
}

async function main () {
  const client = axios.create({ headers: { Authorization: 'Bearer token' }, ...(who === 'agent' && agent()) })
  console.log((await client.get(get)).status)
  console.log((await client.post(post, body, { headers: { 'Content-Type': 'application/json' } })).status)
}

main().catch(error => { console.error(error.message, error.code); process.exit(1) })
