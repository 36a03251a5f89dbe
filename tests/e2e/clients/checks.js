// What the scripts beside this one have in common.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');

// Waits for an answer that must be an error of this name and message (a string or a pattern).
async function refused(promise, name, message) {
  let error;
  try {
    await promise;
  } catch (caught) {
    error = caught;
  }
  assert.ok(error, `not refused, though ${name} was expected`);
  // The SDK says `name`, amazon-cognito-identity-js says `code`.
  assert.equal(error.code ?? error.name, name, error.stack);
  if (message instanceof RegExp) assert.match(error.message, message);
  else assert.equal(error.message, message);
}

// The confirmation code that the gateway's code_command has written to this file, once.
async function codeSent(file, purpose, username) {
  for (const end = Date.now() + 60_000; Date.now() < end;) {
    if (fs.existsSync(file)) {
      const sent = JSON.parse(fs.readFileSync(file, 'utf8'));
      fs.unlinkSync(file);
      assert.equal(sent.purpose, purpose);
      assert.equal(sent.username, username);
      assert.match(sent.code, /^\d{8}$/);
      return sent.code;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`no code for ${purpose} has come`);
}

const otherCode = (code) => (code === '000000' ? '000001' : '000000');

// Runs a script's checks: prints `passed`, or what was otherwise, and ends with status 1.
function run(checks) {
  checks().then(
    () => console.log('passed'),
    (error) => {
      console.log(error.stack ?? error);
      process.exitCode = 1;
    },
  );
}

module.exports = { codeSent, otherCode, refused, run };
