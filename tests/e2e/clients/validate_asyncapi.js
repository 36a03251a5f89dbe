// docs/asyncapi.yaml, as AsyncAPI's own parser reads it: its schema, its references, its examples.
//
// usage: validate_asyncapi.js FILE
// Prints `passed`, or what is wrong, and ends with status 1.
'use strict';

const { readFileSync } = require('node:fs');
const { Parser } = require('@asyncapi/parser');

async function main(file) {
  const { document, diagnostics } = await new Parser().parse(readFileSync(file, 'utf8'));
  // Severities: 0 error, 1 warning; below that is taste.
  const faults = diagnostics.filter(({ severity, code }) =>
    severity <= 1 && code !== 'asyncapi-latest-version');
  for (const { code, message, path } of faults) console.error(code, path.join('.'), message);
  if (faults.length > 0 || !document) process.exit(1);
  console.log('passed');
}

main(process.argv[2]);
