// The console in a real browser, against a real gateway.
// usage: console.js SCENARIO GIVEN, where GIVEN is JSON: browser, binary, dataDir, control (its address), gateway
// (its URL), pool, client, screenshots (a folder that exists) and, for `password`, password.
// Prints `passed`, or what was otherwise.
'use strict';

const assert = require('node:assert/strict');
const childProcess = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { chromium } = require('playwright-core');
const WebSocket = require('ws');
const { run } = require('./checks.js');

const given = JSON.parse(process.argv[3]);
const secure = given.gateway.startsWith('https:');
const origin = `${secure ? 'https' : 'http'}://${given.control}`;
const home = `${origin}/console/`;
const kPassword = 'correct horse battery';
const kPatienceMs = 30_000;
// A name that a foreign site would make to lead here.
const kForeignName = 'rebound.example';

// ---- the gateway from outside

function request(options, body) {
  return new Promise((resolve, reject) => {
    const call = http.request(options, (response) => {
      let text = '';
      response.on('data', (part) => { text += part; });
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
    });
    call.on('error', reject);
    call.end(body);
  });
}
// Over the control socket; throws unless it is answered well.
async function control(method, target, body) {
  const { status, text } = await request(
    { socketPath: path.join(given.dataDir, 'control.sock'), method, path: target, headers: { Host: 'localhost' } },
    body === undefined ? undefined : JSON.stringify(body));
  assert.ok(status < 300, `${method} ${target}: ${status} ${text}`);
  return JSON.parse(text);
}
function link() {
  return childProcess.execFileSync(given.binary, ['console', '--data-dir', given.dataDir],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
}
const makeUser = (username, permanent = true) =>
  control('POST', '/v1/users', { username, password: kPassword, permanent, attributes: { email: `${username}@example.com` } });
const send = (userId, message) => control('POST', '/v1/messages', { userId, message });

const sockets = [];
async function connect(username) {
  const login = await fetch(`${given.gateway}/`, { method: 'POST',
    headers: { 'Content-Type': 'application/x-amz-json-1.1', 'X-Amz-Target': 'AWSCognitoIdentityProviderService.InitiateAuth' },
    body: JSON.stringify({ AuthFlow: 'USER_PASSWORD_AUTH', ClientId: given.client,
      AuthParameters: { USERNAME: username, PASSWORD: kPassword } }) });
  const { AuthenticationResult: result } = await login.json();
  const { token } = await (await fetch(`${given.gateway}/tokens`, { headers: { Authorization: result.IdToken } })).json();
  const socket = new WebSocket(`${given.gateway.replace('http', 'ws')}/ws?token=${token}`);
  sockets.push(socket);
  // Listened for before it opens: a message that is held may come with the 101.
  const received = new Promise((resolve) => { socket.once('message', resolve); });
  await new Promise((resolve, reject) => { socket.on('open', resolve); socket.on('error', reject); });
  return { received };
}

// ---- the browser

let browser;
const problems = [];  // what a page said that it should not have

async function openBrowser() {
  browser = await chromium.launch({
    executablePath: given.browser, headless: true, chromiumSandbox: false,
    args: ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
      '--disable-sync', '--disable-dev-shm-usage', `--host-resolver-rules=MAP ${kForeignName} 127.0.0.1`],
  });
}
async function openPage(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, colorScheme: 'light',
    reducedMotion: 'reduce', ignoreHTTPSErrors: secure, ...options });
  context.setDefaultTimeout(kPatienceMs);
  const page = await context.newPage();
  page.on('pageerror', (error) => problems.push(`error in the page: ${error.stack}`));
  page.on('console', (message) => {
    // An answer that refuses is told there as well; the tests look at those themselves.
    const refused = message.text().startsWith('Failed to load resource');
    if (message.type() === 'error' && !refused && !page.foreign) problems.push(`console: ${message.text()}`);
  });
  page.on('request', (asked) => {
    const { protocol, host } = new URL(asked.url());
    const known = [given.control, new URL(given.gateway).host];
    if (/^(http|ws)/.test(protocol) && !known.includes(host) && !page.foreign) problems.push(`asked for ${asked.url()}`);
  });
  return page;
}
async function signIn(options) {
  const page = await openPage(options);
  await page.goto(link());
  await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
  return page;
}
async function visit(page, place, title) {
  await page.goto(`${home}#/${place}`);
  await page.getByRole('heading', { name: title, level: 1, exact: true }).waitFor();
  await page.waitForFunction(() => !document.querySelector('[aria-busy="true"]'));
}
const shot = (page, name) => page.screenshot({ path: path.join(given.screenshots, `${name}.png`), fullPage: true });
const row = (page, text) => page.locator('tbody tr', { hasText: text });
const dialog = (page) => page.getByRole('dialog');
const told = (page, text) => page.locator('#toasts').getByText(text).first().waitFor();

async function fits(page, what) {
  const wide = await page.evaluate(() => ({
    over: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    who: [...document.querySelectorAll('body *')].filter((element) => !element.closest('.hidden, .skip, svg, thead') &&
      element.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
      .map((element) => `${element.tagName}.${element.className}`).slice(0, 5),
  }));
  assert.ok(wide.over <= 0, `${what} is ${wide.over}px too wide: ${wide.who.join(', ')}`);
}

// ---- what the gateway has been through before anybody looks

async function seed() {
  const ann = await makeUser('ann');
  const bob = await makeUser('bob');
  for (let i = 1; i <= 22; ++i) await control('POST', '/v1/users', { username: `customer-${String(i).padStart(2, '0')}` });
  for (let i = 0; i < 4; ++i) await send(bob.userId, `held ${i}`);
  const dead = [];
  for (let i = 0; i < 3; ++i) dead.push(await send(ann.userId, `given up ${i}`));
  await control('DELETE', `/v1/pending/${ann.userId}?all=true`);
  const held = await send(ann.userId, 'held until the connection');
  await (await connect('ann')).received;
  const delivered = await send(ann.userId, 'delivered at once');
  assert.equal(delivered.status, 'DELIVERED');
  return { ann, bob, held, delivered, dead };
}

// ---- the scenarios

const scenarios = {};

scenarios.entry = async () => {
  const { ann } = await seed();
  const once = link();
  assert.match(once, new RegExp(`^${home.replaceAll('.', '\\.')}#link=[\\w-]{43}$`));
  const page = await openPage();
  await page.goto(home);
  await page.getByText('holdfast console').waitFor();
  assert.equal(await page.getByLabel('Password').count(), 0);
  await shot(page, 'entrance-light');
  await page.goto(once);
  await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
  assert.ok(!page.url().includes('link='), page.url());
  assert.equal(await page.evaluate(() => document.cookie), '');
  const [cookie] = await page.context().cookies(home);
  assert.deepEqual([cookie.httpOnly, cookie.sameSite, cookie.path], [true, 'Strict', '/console']);

  const late = await openPage({ colorScheme: 'dark' });
  await late.goto(once);
  await late.getByText('This link has been used or has expired').waitFor();
  await shot(late, 'entrance-refused-dark');

  // The browser believes that this name's page comes from the gateway.
  const rebound = await openPage();
  rebound.foreign = true;
  const answer = await rebound.goto(home.replace(/\/\/[^:]*/, `//${kForeignName}`));
  assert.equal(answer.status(), 403);

  await foreignPage(page.context(), ann);

  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in to the console' }).waitFor();
  await page.reload();
  await page.getByRole('heading', { name: 'Sign in to the console' }).waitFor();
  const after = await request({ host: '127.0.0.1', port: given.control.split(':')[1], path: '/console/api/v1/status',
    headers: { Cookie: `${cookie.name}=${cookie.value}`, 'X-Holdfast-Console': 'person' } });
  assert.equal(after.status, 401);
};

// A page of another port of the same host: the cookie goes along, and nothing comes of it.
async function foreignPage(context, user) {
  const server = http.createServer((_, response) => response.end('<!doctype html><title>foreign</title>'));
  server.unref();
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const page = await context.newPage();
  page.foreign = true;
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  const outcome = await page.evaluate(async ([api, id]) => {
    const attempt = async (target, options) => {
      try {
        return (await fetch(`${api}${target}`, { credentials: 'include', ...options })).status;
      } catch (error) { return error.name; }
    };
    return [
      await attempt('v1/status', { headers: { 'X-Holdfast-Console': 'person' } }),
      await attempt(`v1/users/${id}`, { method: 'DELETE', headers: { 'X-Holdfast-Console': 'person' } }),
      await attempt(`v1/sign-out/${id}`, { method: 'POST', mode: 'no-cors' }),
      await attempt('session', { method: 'POST', mode: 'no-cors', body: '{}' }),
    ];
  }, [`${home}api/`, user.userId]);
  assert.deepEqual(outcome, Array(4).fill('TypeError'));
  assert.equal((await control('GET', `/v1/users/${user.userId}`)).username, 'ann');
  assert.equal((await control('GET', `/v1/connections?userId=${user.userId}`)).connections.length, 1);
  await page.close();
  server.close();
}

scenarios.password = async () => {
  const page = await openPage();
  await page.goto(home);
  await page.getByLabel('Password').fill('not the password');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('the password is wrong').waitFor();
  await page.getByLabel('Password').fill(given.password);
  await page.getByLabel('Password').press('Enter');
  await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
};

async function showPages(viewport, { ann, held, delivered }) {
  const catching = (await control('GET', `/v1/executions?userId=${ann.userId}`)).executions
    .find((execution) => execution.workflow === 'SendUnsentMessages');
  const places = [
    ['overview', 'Overview', 'overview'], ['users', 'Users', 'users'], [`users/${ann.userId}`, 'ann', 'user'],
    ['messages', 'Messages', 'messages'], [`messages/${delivered.messageId}`, 'Execution', 'execution-delivered'],
    [`messages/${held.messageId}`, 'Execution', 'execution-stored'], [`messages/${catching.id}`, 'Execution', 'execution-catching-up'],
    ['connections', 'Connections', 'connections'], ['dead-letters', 'Dead letters', 'dead-letters'],
    ['access-keys', 'Access keys', 'access-keys'], ['try-it', 'Try it', 'try-it'],
  ];
  const phone = viewport.width < 400;
  for (const colorScheme of ['light', 'dark']) {
    const page = await signIn({ colorScheme, viewport, hasTouch: phone });
    const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    assert.equal(background, colorScheme === 'dark' ? 'rgb(17, 20, 19)' : 'rgb(246, 246, 243)');
    // The charts need a few answers to have a line.
    await page.waitForFunction(() => document.querySelectorAll('.chart .line').length >= 3);
    for (const [place, title, name] of places) {
      await visit(page, place, title);
      const what = `${name}-${phone ? 'phone' : 'desktop'}-${colorScheme}`;
      await shot(page, what);
      await fits(page, what);
    }
  }
}

scenarios.desktop = async () => {
  const seeded = await seed();
  await showPages({ width: 1280, height: 860 }, seeded);
  await showsWhatIs(await signIn(), seeded);
};
scenarios.phone = async () => showPages({ width: 375, height: 812 }, await seed());

// A gateway that does not answer: old numbers look old, and the page comes back by itself.
scenarios.silence = async () => {
  const page = await signIn();
  await page.locator('.tile-value').first().waitFor();
  const status = '**/console/api/v1/status';
  await page.route(status, (route) => route.abort());
  await page.getByText(/^as of \d\d:\d\d:\d\d$/).waitFor();
  await page.getByText(/^retrying in \d s$/).waitFor();
  for (const place of ['.tiles', '.charts', '.panels']) {
    const opacity = await page.locator(place).first().evaluate((element) => getComputedStyle(element).opacity);
    assert.ok(Number(opacity) < 0.6, `${place} looks as new as ever`);
  }
  await shot(page, 'overview-silent');
  await page.unroute(status);
  await page.waitForFunction(() => document.querySelector('.stale') === null && !document.body.textContent.includes('retrying in'));
};

// One very long word takes no width from its neighbours.
scenarios.widths = async () => {
  const long = 'x'.repeat(120);
  await control('POST', '/v1/users', { username: long, attributes: { email: `${'x'.repeat(60)}@example.com` } });
  const short = await control('POST', '/v1/users', { username: 'short', attributes: { email: 'short@example.com' } });
  const page = await signIn();
  await visit(page, 'users', 'Users');
  const rows = await page.evaluate(() => [...document.querySelectorAll('tbody tr')].map((row) => row.clientHeight));
  assert.equal(new Set(rows).size, 1, `rows of different heights: ${rows}`);
  assert.equal(await page.getByRole('link', { name: long }).getAttribute('title'), long);
  assert.ok(await page.getByText(short.userId.slice(0, 8)).isVisible());
  await fits(page, 'users-long');
};

// What the charts make of the cumulative buckets of a histogram.
async function computesPercentiles(page) {
  const of = (buckets, share) => page.evaluate(async ([given, wanted]) =>
    (await import('/console/live.js')).percentile(given, wanted), [buckets, share]);
  const buckets = [{ le: 0.001, count: 50 }, { le: 0.01, count: 90 }, { le: 0.1, count: 99 }, { le: null, count: 100 }];
  assert.equal(await of(buckets, 0.5), 0.001);
  assert.equal(await of(buckets, 0.25), 0.0005);
  assert.ok(Math.abs(await of(buckets, 0.7) - 0.0055) < 1e-12);
  assert.equal(await of(buckets, 0.99), 0.1);
  assert.equal(await of(buckets, 1), 0.1);  // beyond the last bound nobody knows
  assert.equal(await of(buckets.map(({ le }) => ({ le, count: 0 })), 0.5), null);
}

async function showsWhatIs(page, { ann, bob, held, delivered }) {
  await computesPercentiles(page);
  await page.locator('.tile', { hasText: 'Connections' }).getByText('1', { exact: true }).waitFor();
  await page.locator('.tile', { hasText: 'Pending' }).getByText('4', { exact: true }).waitFor();
  await page.locator('.state-line').getByText('ready').waitFor();

  await visit(page, 'users', 'Users');
  assert.equal(await page.locator('tbody tr').count(), 20);
  await page.getByRole('button', { name: 'Next' }).click();
  await row(page, 'customer-22').waitFor();
  await page.getByRole('button', { name: 'Previous' }).click();
  await row(page, 'ann').waitFor();
  await page.getByLabel('For').fill('bo');
  await page.getByRole('button', { name: 'Search' }).click();
  await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 1);
  await row(page, 'bob').waitFor();
  await page.getByLabel('Search by').selectOption('id');
  await page.getByLabel('For').fill(ann.userId);
  await page.getByLabel('For').press('Enter');
  await row(page, 'ann').waitFor();
  assert.equal(await page.locator('tbody tr').count(), 1);

  await page.getByLabel('Search by').selectOption({ label: 'Has pending messages' });
  await page.getByRole('region', { name: 'Users with pending messages' }).waitFor();
  assert.deepEqual(await page.locator('tbody tr').first().locator('th, td').allTextContents(), [bob.userId, '4', '24 B']);
  assert.equal(await page.locator('tbody tr').count(), 1);

  await visit(page, `users/${bob.userId}`, 'bob');
  assert.equal(await page.getByRole('region', { name: 'Pending messages' }).locator('tbody tr').count(), 4);
  assert.ok(!(await page.content()).includes('held 1'), 'a message is shown');

  await visit(page, `messages/${delivered.messageId}`, 'Execution');
  for (const state of ['Received', 'LookUpConnection', 'Sending', 'AwaitingAck', 'Delivered']) {
    const node = page.locator(`.node.lit[data-state=${state}]`);
    assert.match(await node.locator('.at').textContent(), /^\+[\d.,]+ (µs|ms|s)$/, state);
  }
  assert.equal(await page.locator('.node.lit').count(), 5);
  assert.equal(await page.locator('.edge.lit').count(), 4);
  assert.equal(await page.locator('.node.last').getAttribute('data-state'), 'Delivered');

  // Its own run and that which sent it later.
  await visit(page, `messages/${held.messageId}`, 'Execution');
  await page.locator('.node.last[data-state=Stored]').waitFor();
  await page.locator('.node.last[data-state=CaughtUp]').waitFor();
  await visit(page, 'messages/00000000-0000-7000-8000-000000000000', 'Execution');
  await page.getByText('No execution with this id is remembered').waitFor();

  await visit(page, 'messages', 'Messages');
  await page.getByLabel('Message id or user id').fill(held.messageId);
  await page.getByRole('button', { name: 'Find' }).click();
  await page.locator('.machine').first().waitFor();

  const before = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.getByRole('button', { name: 'Dark theme' }).click();
  const toggled = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  assert.notEqual(toggled, before);
  await page.reload();
  await page.getByRole('button', { name: 'Light theme' }).waitFor();
  assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), toggled);
}

scenarios.changes = async () => {
  const { ann, bob, dead } = await seed();
  const page = await signIn();
  await changeDeadLetters(page, ann, dead);
  await changeAccessKeys(page);
  await changeUsers(page, bob);
  await visit(page, 'connections', 'Connections');
  await row(page, 'ann').getByRole('button', { name: /^Close connection/ }).click();
  await dialog(page).getByRole('button', { name: 'Close connection' }).click();
  await told(page, 'The connection was closed');
  await page.locator('.empty', { hasText: 'No open connections.' }).waitFor();
};

async function changeDeadLetters(page, user, dead) {
  await visit(page, 'dead-letters', 'Dead letters');
  assert.equal(await page.locator('tbody tr').count(), 3);
  assert.ok(await page.getByRole('button', { name: 'Redrive selected' }).isDisabled());
  await page.getByLabel(`Select ${dead[0].messageId}`).check();
  await page.getByRole('button', { name: 'Redrive selected' }).click();
  await shot(page, 'dialog-redrive');
  await dialog(page).getByRole('button', { name: 'Redrive' }).click();
  await told(page, '1 dead letter redriven');
  await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 2);
  const runs = await control('GET', `/v1/executions/${dead[0].messageId}`);
  assert.ok(runs.executions.some((execution) => execution.state !== 'Stored'), 'it was not delivered anew');

  await page.getByLabel(`Select ${dead[1].messageId}`).check();
  await page.getByRole('button', { name: 'Delete selected' }).click();
  await page.keyboard.press('Escape');
  await dialog(page).waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Delete selected' }).click();
  await dialog(page).getByRole('button', { name: 'Delete', exact: true }).click();
  await told(page, '1 dead letter deleted');
  await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 1);
  const [left] = (await control('GET', '/v1/dead-letters')).deadLetters;
  assert.equal(left.messageId, dead[2].messageId);

  await page.getByLabel('User id').fill('nobody');
  await page.getByRole('button', { name: 'Filter' }).click();
  await page.locator('.empty', { hasText: 'No dead letters' }).waitFor();
  await page.getByLabel('User id').fill(user.userId);
  await page.getByLabel('Reason').selectOption('deleted');
  await page.getByRole('button', { name: 'Filter' }).click();
  await page.locator('tbody tr').first().waitFor();
  await page.getByRole('button', { name: 'Redrive all…' }).click();
  await dialog(page).getByRole('button', { name: 'Redrive' }).click();
  await page.locator('.empty', { hasText: 'No dead letters' }).waitFor();
  assert.deepEqual((await control('GET', '/v1/dead-letters')).deadLetters, []);
}

async function changeAccessKeys(page) {
  await visit(page, 'access-keys', 'Access keys');
  await page.getByRole('button', { name: 'New access key' }).click();
  await dialog(page).getByLabel('Name').fill('reports');
  await dialog(page).getByLabel('Policy').fill('{');
  await dialog(page).getByRole('button', { name: 'Create' }).click();
  await dialog(page).getByText('The policy is not valid JSON').waitFor();
  const policy = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'execute-api:Invoke', Resource: '*' }] };
  await dialog(page).getByLabel('Policy').fill(JSON.stringify(policy));
  await dialog(page).getByLabel('Requests per second').fill('50');
  await dialog(page).getByLabel('Expires after days').fill('30');
  await dialog(page).getByRole('button', { name: 'Create' }).click();
  await dialog(page).getByText('The secret is shown only once').waitFor();
  const [id, secret] = await dialog(page).locator('output').allTextContents();
  await shot(page, 'dialog-secret');
  await dialog(page).getByRole('button', { name: 'Done' }).click();
  // By its element: one that is closed has no role any more, and is removed a moment later.
  await page.locator('dialog').waitFor({ state: 'detached' });
  const key = await control('GET', `/v1/access-keys/${id}`);
  assert.deepEqual([key.name, key.enabled, key.requestsPerSecond], ['reports', true, 50]);
  assert.ok(Math.abs(new Date(key.expiresAt) - Date.now() - 30 * 86_400_000) < 3_600_000);
  assert.ok(secret.length >= 40);
  assert.ok(!(await page.content()).includes(secret), 'the secret stays in the page');

  await row(page, 'reports').getByRole('button', { name: 'Policy' }).click();
  await shot(page, 'dialog-policy');
  policy.Statement[0].Effect = 'Deny';
  await dialog(page).getByLabel('Policy').fill(JSON.stringify(policy));
  await dialog(page).getByRole('button', { name: 'Save' }).click();
  await told(page, 'The policy was saved');
  assert.equal((await control('GET', `/v1/access-keys/${id}`)).policy.Statement[0].Effect, 'Deny');
  await row(page, 'reports').getByRole('button', { name: 'Disable' }).click();
  await dialog(page).getByRole('button', { name: 'Disable' }).click();
  await row(page, 'reports').getByText('disabled').waitFor();
  await row(page, 'reports').getByRole('button', { name: 'Enable' }).click();
  await row(page, 'reports').getByText('enabled').waitFor();
  await row(page, 'reports').getByRole('button', { name: 'Delete' }).click();
  await dialog(page).getByRole('textbox').fill('another name');
  await dialog(page).getByRole('button', { name: 'Delete key' }).click();
  await dialog(page).getByText('The name does not match').waitFor();
  await dialog(page).getByRole('textbox').fill('reports');
  await dialog(page).getByRole('button', { name: 'Delete key' }).click();
  await row(page, 'reports').waitFor({ state: 'detached' });
  const names = (await control('GET', '/v1/access-keys')).accessKeys.map((one) => one.name);
  assert.deepEqual(names, ['root']);
}

async function changeUsers(page, bob) {
  await visit(page, `users/${bob.userId}`, 'bob');
  await page.getByRole('button', { name: 'Disable' }).click();
  await dialog(page).getByRole('button', { name: 'Disable' }).click();
  await page.getByRole('button', { name: 'Enable' }).waitFor();
  assert.equal((await control('GET', '/v1/users/bob')).enabled, false);
  await page.locator('.empty', { hasText: 'No messages on disk.' }).waitFor();
  await page.getByRole('button', { name: 'Enable' }).click();
  await page.getByRole('button', { name: 'Disable' }).waitFor();
  assert.equal((await control('GET', '/v1/users/bob')).enabled, true);
  await page.getByRole('button', { name: 'Set password' }).click();
  await dialog(page).getByLabel('New password').fill('another password');
  await dialog(page).getByLabel(/^Permanent/).check();
  await dialog(page).getByRole('button', { name: 'Set password' }).click();
  await told(page, 'The password was set');
  await page.getByRole('button', { name: 'Sign out everywhere' }).click();
  await dialog(page).getByRole('button', { name: 'Sign out' }).click();
  await told(page, 'bob was signed out');
  await page.getByRole('button', { name: 'Delete' }).click();
  await dialog(page).getByRole('textbox').fill('bob');
  await shot(page, 'dialog-delete-user');
  await dialog(page).getByRole('button', { name: 'Delete user' }).click();
  await page.getByRole('heading', { name: 'Users', level: 1 }).waitFor();
  await page.getByRole('button', { name: 'New user' }).click();
  await dialog(page).getByLabel('Name').fill('customer-01');
  await dialog(page).getByLabel('Password', { exact: true }).fill('some password');
  await dialog(page).getByRole('button', { name: 'Create' }).click();
  await dialog(page).getByRole('alert').waitFor();
  await dialog(page).getByLabel('Name').fill('bob');
  await dialog(page).getByRole('button', { name: 'Create' }).click();
  await told(page, 'bob was created');
  const again = await control('GET', '/v1/users/bob');
  assert.notEqual(again.userId, bob.userId);
  assert.equal(again.status, 'FORCE_CHANGE_PASSWORD');
}

scenarios.trial = async () => {
  const user = await makeUser('carol', false);  // with a temporary password
  await send(user.userId, 'you were away');
  const page = await signIn();
  await visit(page, 'try-it', 'Try it');
  await page.getByLabel('User name').fill('carol');
  await page.getByLabel('Password').fill('wrong password');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('Incorrect username or password.').waitFor();
  await page.getByLabel('Password').fill(kPassword);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('textbox', { name: 'New password' }).fill('battery staple correct');
  await page.getByRole('button', { name: 'Set password and sign in' }).click();
  await page.getByRole('button', { name: 'Connect' }).click();
  const journal = page.locator('.journal');
  await journal.locator('.in', { hasText: 'you were away' }).waitFor();
  await page.getByLabel('Message').fill('hello <b>carol</b>');
  await page.getByRole('button', { name: 'Send' }).click();
  await journal.locator('.in', { hasText: 'hello <b>carol</b>' }).waitFor();
  await journal.locator('.out', { hasText: 'DELIVERED' }).waitFor();
  assert.equal(await journal.locator('b').count(), 0);
  await shot(page, 'try-it-connected');

  await page.getByRole('button', { name: 'Disconnect' }).click();
  await journal.locator('li', { hasText: 'closed' }).waitFor();
  await page.getByLabel('Message').fill('held for later');
  await page.getByRole('button', { name: 'Send' }).click();
  await journal.locator('.out', { hasText: 'STORED' }).waitFor();
  await page.getByLabel('Subprotocol').selectOption('holdfast.v1');
  await page.getByRole('button', { name: 'Connect' }).click();
  await journal.locator('.in', { hasText: 'held for later' }).getByText('acknowledged').waitFor();
  for (const end = Date.now() + kPatienceMs; ;) {
    if ((await control('GET', `/v1/pending/${user.userId}`)).totals.messages === 0) break;
    assert.ok(Date.now() < end, 'what the page acknowledged is still pending');
  }
  await page.setViewportSize({ width: 375, height: 812 });
  await fits(page, 'try it on a phone');
  await shot(page, 'try-it-connected-phone');
  await page.getByRole('link', { name: 'carol' }).click();
  await page.getByRole('heading', { name: 'carol', level: 1 }).waitFor();
  for (const end = Date.now() + kPatienceMs; ;) {
    if ((await control('GET', '/v1/connections')).connections.length === 0) break;
    assert.ok(Date.now() < end, 'the connection outlives the page');
  }
};

scenarios.tls = async () => {
  const user = await makeUser('carol');
  await send(user.userId, 'you were away');
  const page = await signIn();
  const [cookie] = await page.context().cookies(home);
  assert.match(cookie.name, /^__Host-/);
  assert.ok(cookie.secure);
  await visit(page, 'try-it', 'Try it');
  await page.getByLabel('User name').fill('carol');
  await page.getByLabel('Password').fill(kPassword);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('button', { name: 'Connect' }).click();
  await page.locator('.journal .in', { hasText: 'you were away' }).waitFor();
};

// From the first Tab on without a mouse.
scenarios.keyboard = async () => {
  const { bob } = await seed();
  const page = await signIn();
  const focused = () => page.evaluate(() => {
    const element = document.activeElement;
    const style = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    return { text: (element.getAttribute('aria-label') ?? element.textContent).trim(), tag: element.tagName,
      outline: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
      seen: box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight };
  });
  async function tabTo(text, limit = 60) {
    const passed = [];
    for (let i = 0; i < limit; ++i) {
      await page.keyboard.press('Tab');
      const now = await focused();
      passed.push(now.text);
      if (now.tag === 'BODY') continue;
      assert.ok(now.outline && now.seen, `focus on ${now.tag} "${now.text}" cannot be seen`);
      if (now.text === text) return;
    }
    assert.fail(`Tab does not reach "${text}": ${passed.join(' | ')}`);
  }
  const heading = (name) => page.getByRole('heading', { name, level: 1, exact: true }).waitFor();

  await page.reload();
  await heading('Overview');
  await page.keyboard.press('Tab');
  assert.equal((await focused()).text, 'Skip to content');
  await shot(page, 'keyboard-skip-link');
  await page.keyboard.press('Enter');
  await tabTo('Pause', 1);  // behind the menu
  await page.reload();
  await heading('Overview');
  await tabTo('Users');
  await page.keyboard.press('Enter');
  await heading('Users');
  await page.waitForFunction(() => document.activeElement.tagName === 'H1');
  await tabTo('New user', 1);
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  await page.keyboard.type('bob');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 1);
  await tabTo('bob');
  await page.keyboard.press('Enter');
  await heading('bob');
  await tabTo('Disable');
  await page.keyboard.press('Enter');
  await dialog(page).waitFor();
  await page.waitForFunction(() => document.activeElement.textContent === 'Cancel');
  await page.keyboard.press('Escape');
  await dialog(page).waitFor({ state: 'detached' });
  assert.equal((await focused()).text, 'Disable');
  await page.keyboard.press('Enter');
  await dialog(page).waitFor();
  // What is behind an open dialog is out of reach; the browser's own controls come in between.
  for (let i = 0; i < 6; ++i) {
    await page.keyboard.press('Tab');
    assert.ok(await page.evaluate(() => document.activeElement === document.body ||
      document.activeElement.closest('dialog') !== null), 'focus leaves the dialog');
  }
  await tabTo('Disable');
  await shot(page, 'keyboard-dialog');
  await page.keyboard.press('Space');
  await page.getByRole('button', { name: 'Enable' }).waitFor();
  assert.equal((await control('GET', `/v1/users/${bob.userId}`)).enabled, false);
  await keyboardOnAPhone();
};

async function keyboardOnAPhone() {
  const page = await signIn({ viewport: { width: 375, height: 812 } });
  const menu = page.getByRole('button', { name: 'Menu' });
  assert.equal(await menu.getAttribute('aria-expanded'), 'false');
  await menu.focus();
  await page.keyboard.press('Enter');
  assert.equal(await menu.getAttribute('aria-expanded'), 'true');
  await shot(page, 'menu-phone');
  await fits(page, 'the menu on a phone');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Users', level: 1 }).waitFor();
  assert.equal(await menu.getAttribute('aria-expanded'), 'false');
}

run(async () => {
  const failure = path.join(given.screenshots, `failed-${process.argv[2]}.png`);
  fs.rmSync(failure, { force: true });
  await openBrowser();
  try {
    await scenarios[process.argv[2]]();
  } catch (error) {
    const page = browser.contexts().at(-1)?.pages().at(-1);
    await page?.screenshot({ path: failure }).catch(() => {});
    throw problems.length ? new Error(`${error.stack}\n${problems.join('\n')}`) : error;
  } finally {
    await browser.close();
    for (const socket of sockets) socket.terminate();
  }
  assert.deepEqual(problems, []);
});
