// A client on `ws` from npm: prints what arrives, and leaves Pings to the library.
// usage: receive_ws.js URL [--silent] (ends with its standard input)
// --silent: no Ping is answered.
'use strict';

const WebSocket = require('ws');

const socket = new WebSocket(process.argv[2], { autoPong: process.argv[3] !== '--silent' });
socket.on('open', () => console.log('connected'));
socket.on('message', (data) => console.log(`frame ${data}`));
socket.on('error', (error) => {
  console.error(error.message);
  process.exit(1);
});
socket.on('close', (code) => {
  console.log(`closed ${code}`);
  process.exit(0);
});
process.stdin.resume();
process.stdin.on('end', () => socket.close());
