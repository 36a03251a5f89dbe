// Manages a connection and looks the stack up as the AWS SDK for JavaScript does.
// usage: management_sdk.js CONNECTION_ID
// environment: HOLDFAST_URL, HOLDFAST_USER_POOL_ID, HOLDFAST_CLIENT_ID and the AWS variables
'use strict';

const assert = require('node:assert/strict');
const { ApiGatewayManagementApiClient, DeleteConnectionCommand, GetConnectionCommand,
  PostToConnectionCommand } = require('@aws-sdk/client-apigatewaymanagementapi');
const { CloudFormationClient, DescribeStacksCommand, paginateDescribeStacks } =
  require('@aws-sdk/client-cloudformation');
const { refused, run } = require('./checks');

const ConnectionId = process.argv[2];
const url = process.env.HOLDFAST_URL;
const { AWS_ACCESS_KEY_ID: accessKeyId, HOLDFAST_USER_POOL_ID, HOLDFAST_CLIENT_ID } = process.env;
const wrongSecret = { accessKeyId, secretAccessKey: 'x'.repeat(40) };

async function manage(endpoint) {
  const client = new ApiGatewayManagementApiClient({ endpoint });
  const post = (id, Data) => client.send(new PostToConnectionCommand({ ConnectionId: id, Data }));
  const get = (id) => client.send(new GetConnectionCommand({ ConnectionId: id }));
  const remove = (id) => client.send(new DeleteConnectionCommand({ ConnectionId: id }));

  await post(ConnectionId, 'posted \u20ac');
  const known = await get(ConnectionId);
  assert.equal(known.Identity.SourceIp, '127.0.0.1');
  assert.ok(known.ConnectedAt <= known.LastActiveAt);
  assert.ok(Math.abs(Date.now() - known.ConnectedAt) < 600_000);
  // An id of API Gateway's own, whose `=` goes percent-encoded.
  for (const call of [get, remove, (id) => post(id, 'x')]) {
    await refused(call('L0SM9cOFvHcCIhw='), 'GoneException', /./);
  }
  await refused(post(ConnectionId, 'x'.repeat(128 * 1024 + 1)), 'PayloadTooLargeException', /./);
  const stranger = new ApiGatewayManagementApiClient({ endpoint, credentials: wrongSecret,
    maxAttempts: 1 });
  await refused(stranger.send(new GetConnectionCommand({ ConnectionId })),
    'InvalidSignatureException', /^The request signature we calculated does not match/);
  return async () => {
    assert.equal((await remove(ConnectionId)).$metadata.httpStatusCode, 204);
    await refused(post(ConnectionId, 'x'), 'GoneException', /./);
  };
}

async function describe(endpoint) {
  const client = new CloudFormationClient({ endpoint });
  const StackName = 'ServerlessAsyncMessagingGatewayStack';
  const { Stacks: [stack] } = await client.send(new DescribeStacksCommand({ StackName }));
  assert.equal(stack.StackName, StackName);
  assert.match(stack.StackStatus, /_COMPLETE$/);
  assert.ok(stack.CreationTime <= new Date());
  assert.deepEqual(
    Object.fromEntries(stack.Outputs.map(({ OutputKey, OutputValue }) => [OutputKey, OutputValue])),
    {
      AuthenticationUserPoolId: HOLDFAST_USER_POOL_ID,
      AuthenticationUserPoolClientId: HOLDFAST_CLIENT_ID,
      AuthenticationTokenApiUrl: `${url}/tokens`,
      GatewayWebsocketUrl: `${url.replace('http', 'ws')}/ws`,
      SampleAppApiUrl: 'http://127.0.0.1:8090',
    },
  );
  const all = [];
  for await (const page of paginateDescribeStacks({ client }, {})) all.push(...page.Stacks);
  assert.deepEqual(all, [stack]);
  await refused(client.send(new DescribeStacksCommand({ StackName: 'Other' })), 'ValidationError',
    'Stack with id Other does not exist');
  const stranger = new CloudFormationClient({ endpoint, credentials: wrongSecret, maxAttempts: 1 });
  await refused(stranger.send(new DescribeStacksCommand({})), 'SignatureDoesNotMatch',
    /^The request signature we calculated does not match/);
}

run(async () => {
  for (const endpoint of [url, `${url}/cfn`]) await describe(endpoint);
  await manage(url);
  const close = await manage(`${url}/prod`);
  await close();
});
