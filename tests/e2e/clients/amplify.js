// How a page that uses AWS Amplify stays logged in, and what its user does there. Unmodified: all it
// is told is where the user pool is.
// usage: amplify.js
// environment: HOLDFAST_URL, HOLDFAST_USER_POOL_ID, HOLDFAST_CLIENT_ID and the AWS variables, by
// which an administrator makes the user
'use strict';

const assert = require('node:assert/strict');
const { Amplify } = require('aws-amplify');
const auth = require('aws-amplify/auth');
const { AdminCreateUserCommand, AdminSetUserPasswordCommand, CognitoIdentityProviderClient,
  RevokeTokenCommand } = require('@aws-sdk/client-cognito-identity-provider');
const { run } = require('./checks');

const UserPoolId = process.env.HOLDFAST_USER_POOL_ID;
const ClientId = process.env.HOLDFAST_CLIENT_ID;
const Username = 'Amy';
const Password = 'password of Amy';

// What was asked of the pool, in the order of the requests.
const operations = [];
let lastRefreshToken;
const plainFetch = globalThis.fetch;
globalThis.fetch = async (url, options) => {
  const target = new Headers(options?.headers).get('x-amz-target') ?? '';
  operations.push(target.split('.').pop());
  const response = await plainFetch(url, options);
  const body = await response.clone().json().catch(() => ({}));
  lastRefreshToken = body.AuthenticationResult?.RefreshToken ?? lastRefreshToken;
  return response;
};

async function logIn() {
  const { isSignedIn } = await auth.signIn({ username: Username, password: Password });
  assert.equal(isSignedIn, true);
}

run(async () => {
  const administrator = new CognitoIdentityProviderClient({ endpoint: process.env.HOLDFAST_URL });
  await administrator.send(new AdminCreateUserCommand({ UserPoolId, Username,
    UserAttributes: [{ Name: 'email', Value: 'amy@example.com' },
      { Name: 'email_verified', Value: 'true' }] }));
  await administrator.send(new AdminSetUserPasswordCommand(
    { UserPoolId, Username, Password, Permanent: true }));
  Amplify.configure({ Auth: { Cognito: { userPoolId: UserPoolId, userPoolClientId: ClientId,
    userPoolEndpoint: process.env.HOLDFAST_URL } } });

  await logIn();
  const first = (await auth.fetchAuthSession()).tokens;
  operations.length = 0;
  const second = (await auth.fetchAuthSession({ forceRefresh: true })).tokens;
  assert.deepEqual(operations, ['GetTokensFromRefreshToken']);
  assert.notEqual(second.idToken.toString(), first.idToken.toString());
  assert.equal(second.idToken.payload.origin_jti, first.idToken.payload.origin_jti);
  const third = (await auth.fetchAuthSession({ forceRefresh: true })).tokens;
  assert.notEqual(third.idToken.toString(), second.idToken.toString());
  assert.equal((await auth.getCurrentUser()).username, Username);

  // What users do to their own attributes.
  assert.equal((await auth.fetchUserAttributes()).email_verified, 'true');
  const changed = await auth.updateUserAttributes(
    { userAttributes: { nickname: 'Am', email: 'new@example.com' } });
  assert.equal(changed.nickname.isUpdated, true);
  assert.deepEqual(
    await auth.fetchUserAttributes().then(({ nickname, email, email_verified }) =>
      ({ nickname, email, email_verified })),
    { nickname: 'Am', email: 'new@example.com', email_verified: 'false' });
  await auth.deleteUserAttributes({ userAttributeKeys: ['nickname'] });
  assert.equal((await auth.fetchUserAttributes()).nickname, undefined);
  await assert.rejects(auth.updateUserAttributes({ userAttributes: { email_verified: 'true' } }),
    { name: 'NotAuthorizedException' });

  // A login that was revoked elsewhere is over at the next refresh, and the library says so.
  await administrator.send(new RevokeTokenCommand({ ClientId, Token: lastRefreshToken }));
  assert.equal((await auth.fetchAuthSession({ forceRefresh: true })).tokens, undefined);

  await logIn();
  await auth.signOut();
  assert.equal((await auth.fetchAuthSession()).tokens, undefined);
});
