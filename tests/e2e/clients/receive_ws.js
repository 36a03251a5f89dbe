// A client on `ws` from npm: prints what arrives, and leaves Pings to the library.
// usage: receive_ws.js URL (ends with its standard input)
'use strict';

const WebSocket = require('ws');

const socket = new WebSocket(process.argv[2]);
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
