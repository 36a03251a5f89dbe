// Every operation of the user pool as the AWS SDK for JavaScript calls it, with one refusal of each.
// usage: user_pool_sdk.js CODE_FILE, where the gateway's code_command leaves each code
// environment: HOLDFAST_URL, HOLDFAST_USER_POOL_ID, HOLDFAST_CLIENT_ID and the AWS variables
'use strict';

const assert = require('node:assert/strict');
const { createHash, createHmac } = require('node:crypto');
const sdk = require('@aws-sdk/client-cognito-identity-provider');
const { codeSent, otherCode, refused, run } = require('./checks');

const codeFile = process.argv[2];
const UserPoolId = process.env.HOLDFAST_USER_POOL_ID;
const ClientId = process.env.HOLDFAST_CLIENT_ID;
const client = new sdk.CognitoIdentityProviderClient({ endpoint: process.env.HOLDFAST_URL });

const call = (operation, input) => client.send(new sdk[`${operation}Command`](input));
const admin = (operation, Username, more) => call(operation, { UserPoolId, Username, ...more });
const own = (operation, Username, more) => call(operation, { ClientId, Username, ...more });
const valueOf = (attributes, name) => attributes.find(({ Name }) => Name === name)?.Value;

const kWrongPassword = 'Incorrect username or password.';
const kNobody = 'User does not exist.';

const login = (USERNAME, PASSWORD, AuthFlow = 'USER_PASSWORD_AUTH') =>
  call('InitiateAuth', { ClientId, AuthFlow, AuthParameters: { USERNAME, PASSWORD } });
const adminLogin = (USERNAME, PASSWORD, AuthFlow = 'ADMIN_USER_PASSWORD_AUTH') =>
  call('AdminInitiateAuth',
    { UserPoolId, ClientId, AuthFlow, AuthParameters: { USERNAME, PASSWORD } });
const tokensOf = async (answer) => (await answer).AuthenticationResult;

// ---- SRP, from RFC 5054's group and Amazon's own additions, over native integers

const N = BigInt(`0x${[
  'FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A0879',
  '8E3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B',
  '0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA4836',
  '1C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804',
  'F1746C08CA18217C32905E462E36CE3BE39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6',
  '955817183995497CEA956AE515D2261898FA051015728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64',
  'ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7ABF5AE8CDB0933D71E8C94E04A25619DCEE3D226',
  '1AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200CBBE117577A615D6C770988C0BAD946E2',
  '08E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF'].join('')}`);

function power(base, exponent) {
  let result = 1n;
  for (let square = base % N; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = (result * square) % N;
    square = (square * square) % N;
  }
  return result;
}
function padded(number) {
  let hex = number.toString(16);
  if (hex.length % 2 === 1) hex = `0${hex}`;
  return Buffer.from(/^[89a-f]/.test(hex) ? `00${hex}` : hex, 'hex');
}
const integer = (bytes) => BigInt(`0x${bytes.toString('hex')}`);
const hash = (...parts) => createHash('sha256').update(Buffer.concat(parts)).digest();
const mac = (key, ...parts) => createHmac('sha256', key).update(Buffer.concat(parts)).digest();

function srpClaim(secret, publicA, parameters, password) {
  const { SALT, SECRET_BLOCK, SRP_B, USER_ID_FOR_SRP } = parameters;
  const pool = UserPoolId.split('_')[1];
  const B = BigInt(`0x${SRP_B}`);
  const u = padded(integer(hash(padded(publicA), padded(B))));
  const identity = hash(Buffer.from(`${pool}${USER_ID_FOR_SRP}:${password}`));
  const x = integer(hash(padded(BigInt(`0x${SALT}`)), identity));
  const k = integer(hash(padded(N), padded(2n)));
  const base = (((B - k * power(2n, x)) % N) + N) % N;
  const shared = power(base, secret + integer(u) * x);
  const key = mac(mac(u, padded(shared)), Buffer.from('Caldera Derived Key\u0001')).subarray(0, 16);
  const [day, date, month, year, time] = new Date().toUTCString().replace(',', '')
    .replace(/^(\w+) (\d+) (\w+) (\d+) (\S+).*/, '$1 $2 $3 $4 $5').split(' ');
  const TIMESTAMP = `${day} ${month} ${Number(date)} ${time} UTC ${year}`;
  return {
    USERNAME: USER_ID_FOR_SRP,
    TIMESTAMP,
    PASSWORD_CLAIM_SECRET_BLOCK: SECRET_BLOCK,
    PASSWORD_CLAIM_SIGNATURE: mac(key, Buffer.from(pool + USER_ID_FOR_SRP),
      Buffer.from(SECRET_BLOCK, 'base64'), Buffer.from(TIMESTAMP)).toString('base64'),
  };
}

async function srpLogin(username, password, asAdmin) {
  const secret = integer(hash(Buffer.from(`${Math.random()}`)));
  const publicA = power(2n, secret);
  const asked = { ClientId, AuthFlow: 'USER_SRP_AUTH',
    AuthParameters: { USERNAME: username, SRP_A: publicA.toString(16) } };
  const challenge = asAdmin
    ? await call('AdminInitiateAuth', { UserPoolId, ...asked })
    : await call('InitiateAuth', asked);
  assert.equal(challenge.ChallengeName, 'PASSWORD_VERIFIER');
  const answer = { ClientId, ChallengeName: 'PASSWORD_VERIFIER', Session: challenge.Session,
    ChallengeResponses: srpClaim(secret, publicA, challenge.ChallengeParameters, password) };
  return asAdmin
    ? call('AdminRespondToAuthChallenge', { UserPoolId, ...answer })
    : call('RespondToAuthChallenge', answer);
}

// ---- the operations

// What is answered to strangers says nothing of a user's own address.
const kNoAddress = /^[a-z]\*\*\*@[a-z]\*\*\*$/;

async function signUp() {
  const Password = 'Password one';
  const UserAttributes = [{ Name: 'email', Value: 'carol@example.com' }];
  const signedUp = await own('SignUp', 'Carol', { Password, UserAttributes });
  assert.equal(signedUp.UserConfirmed, false);
  assert.match(signedUp.UserSub, /^[0-9a-f-]{36}$/);
  assert.deepEqual(signedUp.CodeDeliveryDetails,
    { AttributeName: 'email', DeliveryMedium: 'EMAIL', Destination: 'c***@e***' });
  await refused(own('SignUp', 'cAROL', { Password }), 'UsernameExistsException',
    'User already exists');
  await refused(own('SignUp', 'short', { Password: 'short' }), 'InvalidPasswordException',
    'Password did not conform with policy: Password not long enough');
  await refused(login('Carol', Password), 'UserNotConfirmedException', 'User is not confirmed.');

  const first = await codeSent(codeFile, 'sign_up', 'Carol');
  const again = await own('ResendConfirmationCode', 'Carol');
  assert.match(again.CodeDeliveryDetails.Destination, kNoAddress);
  const second = await codeSent(codeFile, 'sign_up', 'Carol');
  await refused(own('ConfirmSignUp', 'Carol', { ConfirmationCode: otherCode(second) }),
    'CodeMismatchException', 'Invalid verification code provided, please try again.');
  await own('ConfirmSignUp', 'Carol', { ConfirmationCode: second });
  if (first !== second) {
    await refused(own('ConfirmSignUp', 'Carol', { ConfirmationCode: first }),
      'CodeMismatchException', 'Invalid verification code provided, please try again.');
  }
  await refused(call('ResendConfirmationCode', { ClientId: 'other', Username: 'Carol' }),
    'ResourceNotFoundException', 'User pool client other does not exist.');
  const carol = await admin('AdminGetUser', 'CAROL');
  assert.equal(carol.UserStatus, 'CONFIRMED');
  assert.equal(valueOf(carol.UserAttributes, 'email_verified'), 'true');
  assert.equal(valueOf(carol.UserAttributes, 'sub'), signedUp.UserSub);
}

async function forgotPassword() {
  const sent = await own('ForgotPassword', 'carol');
  assert.match(sent.CodeDeliveryDetails.Destination, kNoAddress);
  const ConfirmationCode = await codeSent(codeFile, 'forgot_password', 'Carol');
  const confirm = (code, Password) =>
    own('ConfirmForgotPassword', 'carol', { ConfirmationCode: code, Password });
  await refused(confirm(ConfirmationCode, 'short'), 'InvalidPasswordException',
    'Password did not conform with policy: Password not long enough');
  await refused(confirm(otherCode(ConfirmationCode), 'Password two'), 'CodeMismatchException',
    'Invalid verification code provided, please try again.');
  await confirm(ConfirmationCode, 'Password two');
  await refused(login('carol', 'Password one'), 'NotAuthorizedException', kWrongPassword);
  assert.ok((await tokensOf(login('carol', 'Password two'))).IdToken);
  // Nobody learns who exists.
  const unsent = await own('ForgotPassword', 'nobody');
  assert.match(unsent.CodeDeliveryDetails.Destination, kNoAddress);
  await refused(call('ForgotPassword', { ClientId: 'other', Username: 'carol' }),
    'ResourceNotFoundException', 'User pool client other does not exist.');
}

async function adminUsers() {
  const before = Date.now();
  const { User } = await admin('AdminCreateUser', 'Dave', {
    TemporaryPassword: 'temporary one', MessageAction: 'SUPPRESS',
    UserAttributes: [{ Name: 'email', Value: 'dave@example.com' }] });
  assert.equal(User.Username, 'Dave');
  assert.equal(User.UserStatus, 'FORCE_CHANGE_PASSWORD');
  assert.equal(User.Enabled, true);
  assert.ok(Math.abs(User.UserCreateDate.getTime() - before) < 60_000);
  await refused(admin('AdminCreateUser', 'dave'), 'UsernameExistsException',
    'User account already exists');
  await refused(admin('AdminCreateUser', 'a b'), 'InvalidParameterException',
    /1 validation error detected: Value .* at 'username' failed to satisfy constraint/);
  await refused(call('AdminCreateUser', { UserPoolId: 'us-east-1_other', Username: 'x' }),
    'ResourceNotFoundException', 'User pool us-east-1_other does not exist.');

  await admin('AdminUpdateUserAttributes', 'dave',
    { UserAttributes: [{ Name: 'nickname', Value: 'D\u00e4ve \u{1F680}' }] });
  await refused(admin('AdminUpdateUserAttributes', 'nobody',
    { UserAttributes: [{ Name: 'nickname', Value: 'x' }] }), 'UserNotFoundException', kNobody);
  const dave = await admin('AdminGetUser', 'dave');
  assert.equal(valueOf(dave.UserAttributes, 'nickname'), 'D\u00e4ve \u{1F680}');
  await refused(admin('AdminGetUser', 'nobody'), 'UserNotFoundException', kNobody);

  await own('SignUp', 'Erin', { Password: 'password of erin',
    UserAttributes: [{ Name: 'email', Value: 'erin@example.com' }] });
  await codeSent(codeFile, 'sign_up', 'Erin');
  await admin('AdminConfirmSignUp', 'erin');
  await refused(admin('AdminConfirmSignUp', 'erin'), 'NotAuthorizedException',
    'User cannot be confirmed. Current status is CONFIRMED');

  await admin('AdminSetUserPassword', 'erin', { Password: 'another one', Permanent: true });
  assert.ok((await tokensOf(login('erin', 'another one'))).IdToken);
  await refused(admin('AdminSetUserPassword', 'erin', { Password: 'short', Permanent: true }),
    'InvalidPasswordException', 'Password did not conform with policy: Password not long enough');

  await admin('AdminDisableUser', 'erin');
  await refused(login('erin', 'another one'), 'NotAuthorizedException', 'User is disabled.');
  await admin('AdminEnableUser', 'erin');
  assert.ok((await tokensOf(login('erin', 'another one'))).IdToken);
  for (const operation of ['AdminDisableUser', 'AdminEnableUser', 'AdminUserGlobalSignOut',
    'AdminDeleteUser']) {
    await refused(admin(operation, 'nobody'), 'UserNotFoundException', kNobody);
  }
}

async function listUsers() {
  const list = (more) => call('ListUsers', { UserPoolId, ...more });
  const names = ({ Users }) => Users.map(({ Username }) => Username).sort();
  assert.deepEqual(names(await list({ Filter: 'email ^= "d"' })), ['Dave']);
  assert.deepEqual(names(await list({ Filter: 'username = "carol"' })), ['Carol']);
  assert.deepEqual(names(await list({ Filter: 'status = "Enabled"' })), ['Carol', 'Dave', 'Erin']);
  const [onlyEmail] = (await list({ Filter: 'username = "dave"', AttributesToGet: ['email'] })).Users;
  assert.deepEqual(onlyEmail.Attributes, [{ Name: 'email', Value: 'dave@example.com' }]);
  const paged = [];
  for await (const page of sdk.paginateListUsers({ client }, { UserPoolId, Limit: 1 })) {
    assert.ok(page.Users.length <= 1);
    paged.push(...names(page));
  }
  assert.deepEqual(paged.sort(), ['Carol', 'Dave', 'Erin']);
  await refused(list({ Filter: 'email > "d"' }), 'InvalidParameterException', /filter/i);
  await refused(list({ Limit: 61 }), 'InvalidParameterException', /'limit'/);
}

async function logins() {
  for (const flow of ['ADMIN_USER_PASSWORD_AUTH', 'ADMIN_NO_SRP_AUTH']) {
    const challenge = await adminLogin('dave', 'temporary one', flow);
    assert.equal(challenge.ChallengeName, 'NEW_PASSWORD_REQUIRED');
    assert.equal(challenge.ChallengeParameters.requiredAttributes, '[]');
    assert.equal(JSON.parse(challenge.ChallengeParameters.userAttributes).email,
      'dave@example.com');
    await refused(adminLogin('dave', 'wrong one', flow), 'NotAuthorizedException', kWrongPassword);
  }
  const { Session, ChallengeName } = await adminLogin('dave', 'temporary one');
  const answer = (NEW_PASSWORD, session) => call('AdminRespondToAuthChallenge', {
    UserPoolId, ClientId, ChallengeName, Session: session,
    ChallengeResponses: { USERNAME: 'dave', NEW_PASSWORD } });
  await refused(answer('short', Session), 'InvalidPasswordException',
    'Password did not conform with policy: Password not long enough');
  await refused(answer('own password', 'x'.repeat(40)), 'NotAuthorizedException',
    'Invalid session provided for the user.');
  assert.ok((await tokensOf(answer('own password', Session))).RefreshToken);

  await admin('AdminSetUserPassword', 'dave', { Password: 'temporary two', Permanent: false });
  const second = await login('dave', 'temporary two');
  const responded = await tokensOf(call('RespondToAuthChallenge', {
    ClientId, ChallengeName: second.ChallengeName, Session: second.Session,
    ChallengeResponses: { USERNAME: 'dave', NEW_PASSWORD: 'own password' } }));
  assert.equal(responded.TokenType, 'Bearer');
  assert.equal(responded.ExpiresIn, 3600);
  await refused(call('RespondToAuthChallenge', {
    ClientId, ChallengeName: 'NEW_PASSWORD_REQUIRED',
    ChallengeResponses: { USERNAME: 'dave', NEW_PASSWORD: 'own password' } }),
  'InvalidParameterException', 'Missing required parameter Session');

  await refused(login('dave', 'wrong one'), 'NotAuthorizedException', kWrongPassword);
  await refused(login('nobody', 'wrong one'), 'NotAuthorizedException', kWrongPassword);
  await refused(login('dave', 'own password', 'ADMIN_NO_SRP_AUTH'), 'InvalidParameterException',
    'Initiate Auth method not supported.');
  for (const asAdmin of [false, true]) {
    assert.ok((await tokensOf(srpLogin('DAVE', 'own password', asAdmin))).IdToken);
    await refused(srpLogin('dave', 'wrong one', asAdmin), 'NotAuthorizedException',
      kWrongPassword);
  }
  await refused(call('InitiateAuth', { ClientId, AuthFlow: 'USER_SRP_AUTH',
    AuthParameters: { USERNAME: 'dave', SRP_A: N.toString(16) } }), 'InvalidParameterException',
  'Invalid SRP_A value.');
}

async function refreshAndRevoke() {
  const { RefreshToken: REFRESH_TOKEN, AccessToken } = await tokensOf(login('dave', 'own password'));
  const refresh = (AuthFlow, token) => call('InitiateAuth',
    { ClientId, AuthFlow, AuthParameters: { REFRESH_TOKEN: token } });
  for (const flow of ['REFRESH_TOKEN_AUTH', 'REFRESH_TOKEN']) {
    const fresh = await tokensOf(refresh(flow, REFRESH_TOKEN));
    assert.ok(fresh.IdToken && fresh.AccessToken && fresh.RefreshToken === undefined);
    const byAdmin = await tokensOf(call('AdminInitiateAuth', { UserPoolId, ClientId,
      AuthFlow: flow, AuthParameters: { REFRESH_TOKEN } }));
    assert.ok(byAdmin.IdToken);
  }
  const newer = await tokensOf(call('GetTokensFromRefreshToken',
    { ClientId, RefreshToken: REFRESH_TOKEN }));
  assert.ok(newer.IdToken && newer.AccessToken && newer.RefreshToken === undefined);
  await refused(call('GetTokensFromRefreshToken', { ClientId, RefreshToken: 'x' }),
    'NotAuthorizedException', 'Invalid Refresh Token.');
  await refused(refresh('REFRESH_TOKEN_AUTH', 'x'), 'NotAuthorizedException',
    'Invalid Refresh Token.');
  await refused(call('RevokeToken', { ClientId, Token: AccessToken }),
    'UnsupportedTokenTypeException', /token/i);
  await call('RevokeToken', { ClientId, Token: REFRESH_TOKEN });
  await refused(refresh('REFRESH_TOKEN_AUTH', REFRESH_TOKEN), 'NotAuthorizedException',
    'Refresh Token has been revoked');
  await refused(call('GetUser', { AccessToken }), 'NotAuthorizedException',
    'Access Token has been revoked');
}

async function theirOwn() {
  const { AccessToken, IdToken } = await tokensOf(login('dave', 'own password'));
  const dave = await call('GetUser', { AccessToken });
  assert.equal(dave.Username, 'Dave');
  assert.equal(valueOf(dave.UserAttributes, 'email'), 'dave@example.com');
  await refused(call('GetUser', { AccessToken: IdToken }), 'NotAuthorizedException',
    'Invalid Access Token');

  const change = (PreviousPassword, ProposedPassword) =>
    call('ChangePassword', { AccessToken, PreviousPassword, ProposedPassword });
  await refused(change('wrong one', 'next password'), 'NotAuthorizedException', kWrongPassword);
  await change('own password', 'next password');
  const other = await tokensOf(login('dave', 'next password'));
  await call('GlobalSignOut', { AccessToken: other.AccessToken });
  await refused(call('GlobalSignOut', { AccessToken: other.AccessToken }),
    'NotAuthorizedException', 'Access Token has been revoked');

  const third = await tokensOf(login('dave', 'next password'));
  await admin('AdminUserGlobalSignOut', 'dave');
  await refused(call('DeleteUser', { AccessToken: third.AccessToken }), 'NotAuthorizedException',
    'Access Token has been revoked');
  const last = await tokensOf(login('dave', 'next password'));
  await call('DeleteUser', { AccessToken: last.AccessToken });
  await refused(login('dave', 'next password'), 'NotAuthorizedException', kWrongPassword);
  await admin('AdminDeleteUser', 'erin');
  await refused(admin('AdminGetUser', 'erin'), 'UserNotFoundException', kNobody);
}

async function describe() {
  const { UserPool } = await call('DescribeUserPool', { UserPoolId });
  assert.equal(UserPool.Id, UserPoolId);
  assert.equal(UserPool.Policies.PasswordPolicy.MinimumLength, 8);
  assert.equal(UserPool.UsernameConfiguration.CaseSensitive, false);
  await refused(call('DescribeUserPool', { UserPoolId: 'us-east-1_other' }),
    'ResourceNotFoundException', 'User pool us-east-1_other does not exist.');
  const { UserPoolClient } = await call('DescribeUserPoolClient', { UserPoolId, ClientId });
  assert.equal(UserPoolClient.ClientId, ClientId);
  assert.ok(UserPoolClient.ExplicitAuthFlows.includes('ALLOW_USER_SRP_AUTH'));
  await refused(call('DescribeUserPoolClient', { UserPoolId, ClientId: 'other' }),
    'ResourceNotFoundException', 'User pool client other does not exist.');
}

async function signatures() {
  const accessKeyId = process.env.AWS_ACCESS_KEY_ID;
  const wrong = async (credentials, name, message) => {
    const other = new sdk.CognitoIdentityProviderClient(
      { endpoint: process.env.HOLDFAST_URL, credentials, maxAttempts: 1 });
    await refused(other.send(new sdk.ListUsersCommand({ UserPoolId })), name, message);
  };
  await wrong({ accessKeyId, secretAccessKey: 'x'.repeat(40) }, 'InvalidSignatureException',
    /^The request signature we calculated does not match the signature you provided\./);
  await wrong({ accessKeyId: 'AKIANOBODY', secretAccessKey: 'x' }, 'UnrecognizedClientException',
    'The security token included in the request is invalid.');
}

run(async () => {
  await signUp();
  await forgotPassword();
  await adminUsers();
  await listUsers();
  await logins();
  await refreshAndRevoke();
  await theirOwn();
  await describe();
  await signatures();
});
