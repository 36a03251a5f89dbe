// An OpenID provider (`oidc-provider` from npm) with one client, and a person who logs in there.
// usage: openid_provider.js ALGORITHM
// output: `issuer URL`, and for each line of input an answer:
//   login NAME     `id_token TOKEN`, by the authorization code flow
//   rotate         `rotated`: another signing key comes first, the old one stays published
//   end            ends the program; the provider is gone
'use strict';

const { createHash, generateKeyPairSync, randomBytes } = require('node:crypto');
const http = require('node:http');
const readline = require('node:readline');
const { Provider } = require('oidc-provider');

const algorithm = process.argv[2];
const kClientId = 'holdfast';
const kRedirect = 'http://127.0.0.1/callback';
const kKinds = {
  RS256: ['rsa', { modulusLength: 2048 }],
  ES256: ['ec', { namedCurve: 'P-256' }],
  EdDSA: ['ed25519', {}],
};

function makeKey() {
  const [kind, options] = kKinds[algorithm];
  const jwk = generateKeyPairSync(kind, options).privateKey.export({ format: 'jwk' });
  return { ...jwk, kid: randomBytes(8).toString('hex'), use: 'sig', alg: algorithm };
}

function makeProvider(issuer, keys) {
  return new Provider(issuer, {
    clients: [{
      client_id: kClientId, application_type: 'native', token_endpoint_auth_method: 'none',
      redirect_uris: [kRedirect], response_types: ['code'], grant_types: ['authorization_code'],
      id_token_signed_response_alg: algorithm,
    }],
    jwks: { keys },
    enabledJWA: { idTokenSigningAlgValues: [algorithm] },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    cookies: { keys: [randomBytes(16).toString('hex')] },
  });
}

// A browser's part: cookies are kept, redirections are seen.
function makeBrowser() {
  const cookies = new Map();
  return async (url, form) => {
    const answer = await fetch(url, {
      method: form ? 'POST' : 'GET', redirect: 'manual',
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
      body: form && new URLSearchParams(form),
    });
    for (const cookie of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
      if (value) cookies.set(name, value);
      else cookies.delete(name);
    }
    const next = answer.headers.get('location');
    return { next: next && new URL(next, url).href, text: await answer.text() };
  };
}

async function logIn(issuer, name) {
  const visit = makeBrowser();
  const code_verifier = randomBytes(32).toString('base64url');
  const asked = new URLSearchParams({
    client_id: kClientId, response_type: 'code', scope: 'openid', redirect_uri: kRedirect,
    nonce: randomBytes(8).toString('hex'), code_challenge_method: 'S256',
    code_challenge: createHash('sha256').update(code_verifier).digest('base64url'),
  });
  let at = `${issuer}/auth?${asked}`;
  for (let steps = 0; !at.startsWith(kRedirect); ++steps) {
    if (steps > 20) throw new Error('the login does not come to an end');
    const page = await visit(at);
    if (page.next) {
      at = page.next;
      continue;
    }
    // The provider's own forms: who it is, and that the client may know.
    const prompt = /name="prompt" value="(\w+)"/.exec(page.text);
    if (!prompt) throw new Error(page.text);
    at = (await visit(at, { prompt: prompt[1], login: name, password: 'any' })).next;
  }
  const answer = await fetch(`${issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'authorization_code', client_id: kClientId,
      redirect_uri: kRedirect, code: new URL(at).searchParams.get('code'), code_verifier }),
  });
  const tokens = await answer.json();
  if (!tokens.id_token) throw new Error(JSON.stringify(tokens));
  return tokens.id_token;
}

const server = http.createServer((request, response) => serve(request, response));
let serve;
server.listen(0, '127.0.0.1', async () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  let keys = [makeKey()];
  serve = makeProvider(issuer, keys).callback();
  console.log(`issuer ${issuer}`);
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [command, name] = line.split(' ');
    if (command === 'login') {
      console.log(`id_token ${await logIn(issuer, name)}`);
    } else if (command === 'rotate') {
      keys = [makeKey(), ...keys];
      serve = makeProvider(issuer, keys).callback();
      console.log('rotated');
    } else {
      break;
    }
  }
  process.exit(0);
});
