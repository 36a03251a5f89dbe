// Verifies the pool's ID token with aws-jwt-verify's generic verifiers, which fetch over TLS alone.
// usage: verify_tokens.js PUBLIC_URL ID_TOKEN
// environment: HOLDFAST_USER_POOL_ID, HOLDFAST_CLIENT_ID, NODE_EXTRA_CA_CERTS
'use strict';

const assert = require('node:assert/strict');
const { JwtRsaVerifier, JwtVerifier } = require('aws-jwt-verify');
const { JwtInvalidAudienceError, JwtInvalidIssuerError, JwtInvalidSignatureError } =
  require('aws-jwt-verify/error');
const { run } = require('./checks');

const [, , url, token] = process.argv;
const audience = process.env.HOLDFAST_CLIENT_ID;
const issuer = `${url}/${process.env.HOLDFAST_USER_POOL_ID}`;
const keys = `${issuer}/.well-known/jwks.json`;

function changed(part, at) {
  const parts = token.split('.');
  const text = parts[part];
  parts[part] = text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
  return parts.join('.');
}
function withClaims(claims) {
  const parts = token.split('.');
  const payload = { ...JSON.parse(Buffer.from(parts[1], 'base64url')), ...claims };
  parts[1] = Buffer.from(JSON.stringify(payload)).toString('base64url');
  return parts.join('.');
}

run(async () => {
  for (const Verifier of [JwtVerifier, JwtRsaVerifier]) {
    // The first finds the keys by the issuer's name alone.
    for (const place of [{}, { jwksUri: keys }]) {
      const verifier = Verifier.create({ issuer, audience, ...place });
      const claims = await verifier.verify(token);
      assert.equal(claims['cognito:username'], 'testUser');
      assert.equal(claims.token_use, 'id');
      assert.equal(claims.iss, issuer);
      await assert.rejects(verifier.verify(changed(2, 20)), JwtInvalidSignatureError);
      await assert.rejects(verifier.verify(withClaims({ sub: 'another' })),
        JwtInvalidSignatureError);
      await assert.rejects(verifier.verify(token, { audience: 'another' }),
        JwtInvalidAudienceError);
    }
    const stranger = Verifier.create({ issuer: `${issuer}x`, audience, jwksUri: keys });
    await assert.rejects(stranger.verify(token), JwtInvalidIssuerError);
  }
  const { issuer: named, jwks_uri: told } =
    await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
  assert.deepEqual([named, told], [issuer, keys]);
});
