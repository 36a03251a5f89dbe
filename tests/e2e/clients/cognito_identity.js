// A user's whole life as amazon-cognito-identity-js leads it.
// usage: cognito_identity.js CODE_FILE, where the gateway's code_command leaves each code
// environment: HOLDFAST_URL, HOLDFAST_USER_POOL_ID, HOLDFAST_CLIENT_ID and the AWS variables, by
// which an administrator's first step is done
'use strict';

const assert = require('node:assert/strict');
const { AuthenticationDetails, CognitoUser, CognitoUserAttribute, CognitoUserPool } =
  require('amazon-cognito-identity-js');
const { AdminCreateUserCommand, CognitoIdentityProviderClient } =
  require('@aws-sdk/client-cognito-identity-provider');
const { codeSent, otherCode, refused, run } = require('./checks');

const codeFile = process.argv[2];
const UserPoolId = process.env.HOLDFAST_USER_POOL_ID;
const pool = new CognitoUserPool({ UserPoolId, ClientId: process.env.HOLDFAST_CLIENT_ID,
  endpoint: process.env.HOLDFAST_URL });

const made = (call) => new Promise((resolve, reject) => {
  call((error, value) => (error ? reject(error) : resolve(value)));
});
const named = (Username) => new CognitoUser({ Username, Pool: pool });

// Resolves with the session; `newPassword` is what a temporary one is changed to. SRP, unless a
// `flow` is named.
function login(user, Username, Password, { newPassword, flow } = {}) {
  if (flow) user.setAuthenticationFlowType(flow);
  return new Promise((onSuccess, onFailure) => {
    user.authenticateUser(new AuthenticationDetails({ Username, Password }), {
      onSuccess,
      onFailure,
      newPasswordRequired: () => {
        if (!newPassword) onFailure(new Error('new password required'));
        else user.completeNewPasswordChallenge(newPassword, {}, { onSuccess, onFailure });
      },
    });
  });
}
// One request: the library's refreshSession tries a refusal again and again for seconds.
const refreshed = (refreshToken) => made((done) => pool.client.request('InitiateAuth', {
  ClientId: pool.getClientId(), AuthFlow: 'REFRESH_TOKEN_AUTH',
  AuthParameters: { REFRESH_TOKEN: refreshToken.getToken() } }, done));
const wrongPassword = (promise) =>
  refused(promise, 'NotAuthorizedException', 'Incorrect username or password.');

async function signUp() {
  const email = new CognitoUserAttribute({ Name: 'email', Value: 'carol@example.com' });
  const { userConfirmed, codeDeliveryDetails } =
    await made((done) => pool.signUp('Carol', 'Password one', [email], null, done));
  assert.equal(userConfirmed, false);
  assert.equal(codeDeliveryDetails.Destination, 'c***@e***');
  const carol = named('Carol');
  await refused(login(carol, 'Carol', 'Password one'), 'UserNotConfirmedException',
    'User is not confirmed.');
  const code = await codeSent(codeFile, 'sign_up', 'Carol');
  await refused(made((done) => carol.confirmRegistration(otherCode(code), true, done)),
    'CodeMismatchException', 'Invalid verification code provided, please try again.');
  assert.equal(await made((done) => carol.confirmRegistration(code, true, done)), 'SUCCESS');
}

async function forgotPassword() {
  const carol = named('carol');
  await new Promise((resolve, onFailure) => {
    carol.forgotPassword({ onSuccess: resolve, onFailure, inputVerificationCode: resolve });
  });
  const code = await codeSent(codeFile, 'forgot_password', 'Carol');
  await new Promise((onSuccess, onFailure) => {
    carol.confirmPassword(code, 'Password two', { onSuccess, onFailure });
  });
  await wrongPassword(login(carol, 'carol', 'Password one'));
}

async function sessions() {
  const carol = named('cAROL');
  const session = await login(carol, 'cAROL', 'Password two');
  assert.ok(session.isValid());
  const claims = session.getIdToken().decodePayload();
  assert.equal(claims['cognito:username'], 'Carol');
  assert.equal(claims.email_verified, true);
  await wrongPassword(login(named('carol'), 'carol', 'Password three'));
  const byPassword = await login(named('carol'), 'carol', 'Password two',
    { flow: 'USER_PASSWORD_AUTH' });
  assert.ok(byPassword.isValid());

  const attributes = await made((done) => carol.getUserAttributes(done));
  assert.ok(attributes.some((one) =>
    one.getName() === 'email_verified' && one.getValue() === 'true'));
  const fresh = await made((done) => carol.refreshSession(session.getRefreshToken(), done));
  assert.notEqual(fresh.getIdToken().getJwtToken(), session.getIdToken().getJwtToken());

  await wrongPassword(made((done) => carol.changePassword('wrong one', 'Password three', done)));
  await made((done) => carol.changePassword('Password two', 'Password three', done));
  await wrongPassword(login(named('carol'), 'carol', 'Password two'));
  await login(carol, 'carol', 'Password three');
  const elsewhere = named('carol');
  const { refreshToken } = await login(elsewhere, 'carol', 'Password three');
  await new Promise((onSuccess, onFailure) => carol.globalSignOut({ onSuccess, onFailure }));
  await refused(made((done) => elsewhere.getUserAttributes(done)), 'NotAuthorizedException',
    'Access Token has been revoked');
  await refused(refreshed(refreshToken), 'NotAuthorizedException',
    'Refresh Token has been revoked');
}

async function firstLogin() {
  const administrator = new CognitoIdentityProviderClient({ endpoint: process.env.HOLDFAST_URL });
  await administrator.send(new AdminCreateUserCommand(
    { UserPoolId, Username: 'Dave', TemporaryPassword: 'temporary one' }));
  await wrongPassword(login(named('dave'), 'dave', 'wrong one'));
  const short = login(named('dave'), 'dave', 'temporary one', { newPassword: 'short' });
  await refused(short, 'InvalidPasswordException',
    'Password did not conform with policy: Password not long enough');
  const dave = named('dave');
  const session =
    await login(dave, 'dave', 'temporary one', { newPassword: 'own password' });
  assert.ok(session.isValid());
  await wrongPassword(login(named('dave'), 'dave', 'temporary one'));

  const again = named('DAVE');
  const { refreshToken } = await login(again, 'DAVE', 'own password');
  await new Promise((resolve) => again.signOut(resolve));  // it revokes the refresh token
  await refused(refreshed(refreshToken), 'NotAuthorizedException',
    'Refresh Token has been revoked');
  await login(again, 'DAVE', 'own password');
  assert.equal(await made((done) => again.deleteUser(done)), 'SUCCESS');
  await wrongPassword(login(named('dave'), 'dave', 'own password'));
}

run(async () => {
  await signUp();
  await forgotPassword();
  await sessions();
  await firstLogin();
});
