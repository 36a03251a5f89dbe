// What a tester of the cloud system has: four commands that know a stack's name and nothing else.
// Everything they need to find is among the stack's outputs.
// usage: cloud_script.js create-user USER PASSWORD
//        cloud_script.js auth USER PASSWORD             prints `export ID_TOKEN="…"`
//        cloud_script.js connect-websocket              prints `< FRAME` until its input ends
//        cloud_script.js send-message TEXT WAIT_SECONDS
// environment: AWS_ENDPOINT_URL, NODE_EXTRA_CA_CERTS, AWS_DEFAULT_REGION and the two AWS keys;
// ID_TOKEN for the last two
'use strict';

const https = require('node:https');
const { randomInt } = require('node:crypto');
const { CloudFormationClient, DescribeStacksCommand } = require('@aws-sdk/client-cloudformation');
const { AdminCreateUserCommand, AdminInitiateAuthCommand, AdminRespondToAuthChallengeCommand,
  CognitoIdentityProviderClient } = require('@aws-sdk/client-cognito-identity-provider');
const WebSocket = require('ws');

const kStackName = 'ServerlessAsyncMessagingGatewayStack';
const kPasswordCharacters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
  + '@#$%&*()_-+={}[];:<>,.?/';

const region = process.env.AWS_DEFAULT_REGION;
const pool = new CognitoIdentityProviderClient({ region });

// An output by the start of its key: the cloud's tools put a hash behind it.
async function findOutputs() {
  const formation = new CloudFormationClient({ region });
  const { Stacks: [stack] } =
    await formation.send(new DescribeStacksCommand({ StackName: kStackName }));
  return (start) => stack.Outputs.findLast(({ OutputKey }) => OutputKey.startsWith(start)).OutputValue;
}

function adminLogin(output, USERNAME, PASSWORD) {
  return pool.send(new AdminInitiateAuthCommand({
    UserPoolId: output('AuthenticationUserPoolId'),
    ClientId: output('AuthenticationUserPoolClientId'),
    AuthFlow: 'ADMIN_NO_SRP_AUTH',
    AuthParameters: { USERNAME, PASSWORD },
  }));
}

async function createUser(output, Username, password) {
  const TemporaryPassword = Array.from({ length: 16 },
    () => kPasswordCharacters[randomInt(kPasswordCharacters.length)]).join('');
  const UserPoolId = output('AuthenticationUserPoolId');
  await pool.send(new AdminCreateUserCommand({ UserPoolId, Username, TemporaryPassword }));
  const { Session } = await adminLogin(output, Username, TemporaryPassword);
  await pool.send(new AdminRespondToAuthChallengeCommand({
    UserPoolId,
    ClientId: output('AuthenticationUserPoolClientId'),
    ChallengeName: 'NEW_PASSWORD_REQUIRED',
    ChallengeResponses: { USERNAME: Username, NEW_PASSWORD: password },
    Session,
  }));
}

async function authenticate(output, username, password) {
  const { AuthenticationResult: { IdToken } } = await adminLogin(output, username, password);
  console.log(`export ID_TOKEN="${IdToken}"`);
}

// node's own https, which sends a body in chunks. Resolves with the answer's text.
function request(url, options, body) {
  return new Promise((resolve, reject) => {
    const sent = https.request(url, options, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (data) => { text += data; });
      answer.on('end', () => {
        if (answer.statusCode >= 200 && answer.statusCode < 300) resolve(text);
        else reject(new Error(`${url}: ${answer.statusCode} ${text}`));
      });
    });
    sent.on('error', reject);
    if (body) sent.write(body);
    sent.end();
  });
}

async function connect(output) {
  const text = await request(output('AuthenticationTokenApiUrl'),
    { headers: { Authorization: process.env.ID_TOKEN } });
  const socket =
    new WebSocket(`${output('GatewayWebsocketUrl')}?token=${JSON.parse(text).token}`);
  socket.on('open', () => console.log('Connected'));
  socket.on('message', (data) => console.log(`< ${data}`));
  socket.on('error', (error) => console.log(`Error: ${error.message}`));
  socket.on('close', (code) => {
    console.log(`Closed: ${code}`);
    process.exit(0);
  });
  process.stdin.resume();
  process.stdin.on('end', () => socket.close());
}

async function sendMessage(output, message, wait) {
  const token = process.env.ID_TOKEN;
  const { sub: userId } = JSON.parse(Buffer.from(token.split('.')[1], 'base64'));
  await request(output('SampleAppApiUrl'), {
    method: 'POST',
    headers: { Authorization: token, 'Content-Type': 'application/json' },
  }, JSON.stringify({ wait: Number.parseInt(wait, 10), userId, message }));
}

const kCommands = {
  'create-user': createUser,
  auth: authenticate,
  'connect-websocket': connect,
  'send-message': sendMessage,
};

const [, , command, ...values] = process.argv;
findOutputs().then((output) => kCommands[command](output, ...values)).catch((error) => {
  console.error(`${error.name}: ${error.message}`);
  process.exitCode = 1;
});
