// What Netlify's own engines make of `_headers` and `_redirects`: node netlify.mjs SITE < paths.json
import fs from 'node:fs'
import { parseAllHeaders } from '@netlify/headers-parser'
import { parseAllRedirects } from '@netlify/redirect-parser'
import { HeadersHandler } from '@netlify/headers'
import { RedirectsHandler } from '@netlify/redirects'

const site = process.argv[2]
const address = 'http://site.example.org'
const parsed = [
  await parseAllHeaders({ headersFiles: [`${site}/_headers`], configHeaders: [], minimal: false }),
  await parseAllRedirects({ redirectsFiles: [`${site}/_redirects`], configRedirects: [], minimal: false }),
]
const headers = new HeadersHandler({ projectDir: site, logger: console })
const redirects = new RedirectsHandler({
  configRedirects: [], jwtRoleClaim: '', jwtSecret: '', projectDir: site, publicDir: site, siteURL: address,
  notFoundHandler: async () => new Response('', { status: 404 }),
})
const answers = {}
for (const path of JSON.parse(fs.readFileSync(0, 'utf8'))) {
  const match = await redirects.match(new Request(address + path))
  answers[path] = {
    headers: await headers.apply(new Request(address + path)),
    status: match?.statusCode ?? 0,
    target: match === undefined ? '' : decodeURI(match.target.pathname),
  }
}
const errors = parsed.flatMap((one) => one.errors.map(String))
console.log(JSON.stringify({ errors, rules: [parsed[0].headers.length, parsed[1].redirects.length], answers }))
