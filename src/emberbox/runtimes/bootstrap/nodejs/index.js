// Emberbox's Node.js runtime: turns invocations of the Runtime API into calls of a handler.
//
// Started in one of two ways: with `--wait` it is up before its function is known, and reads from
// descriptor 4 which one it will be; else its environment tells. Nothing but Node's own modules is
// used. Follows AWS's custom-runtime guide and the behaviour of AWS's own Node.js client.
'use strict';

const fs = require('fs');
const Module = require('module');

const { RuntimeClient } = require('./client');
const { logError, patchConsole, rehearseLog, setRequest } = require('./console');
const { UnhandledPromiseRejection } = require('./failures');
const { loadHandler } = require('./handler');
const { Loop } = require('./loop');

const LAUNCH_DESCRIPTOR = 4;
const EXIT_REJECTION = 128;
const EXIT_EXCEPTION = 129;

async function main() {
  if (process.argv[2] !== '--wait') {
    await run(new RuntimeClient(process.env._EMBERBOX_RUNTIME_SOCKET));
    return;
  }
  process.argv.length = 2;
  const client = new RuntimeClient(process.env._EMBERBOX_RUNTIME_SOCKET);
  await rehearse(client);
  become(JSON.parse(readToEnd(LAUNCH_DESCRIPTOR)));
  const socketName = process.env._EMBERBOX_RUNTIME_SOCKET;
  // Sandboxes on the host's own network each have another address, told only now.
  await run(client.socketName === socketName ? client : new RuntimeClient(socketName));
}

/** What is done for the first time takes long: so it is done while there is time. */
async function rehearse(client) {
  await import('./warm.mjs');
  rehearseLog();
  client.rehearse();
  const handler = await loadHandler(__dirname, 'warm.handler');
  await new Promise((resolve) => {
    // One invocation, delivered and answered as the platform would, but for the wire.
    const stage = {
      next: (heard) => heard({ 'lambda-runtime-trace-id': 'none' }, Buffer.from('{}')),
      respondThenNext: resolve,
    };
    new Loop(stage, handler, {}).start();
  });
  process.removeAllListeners('beforeExit');
}

function readToEnd(descriptor) {
  const text = fs.readFileSync(descriptor, 'utf8');
  fs.closeSync(descriptor);
  // The sandbox was not needed after all.
  if (!text) process.exit(0);
  return text;
}

function become(launch) {
  const { environment } = launch;
  // Only what differs: a change of TZ alone costs 7 ms.
  for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name];
  for (const [name, value] of Object.entries(environment)) {
    if (process.env[name] !== value) process.env[name] = value;
  }
  process.chdir('/var/task');
  // NODE_PATH was another when Node read it.
  Module._initPaths();
}

async function run(client) {
  const environment = process.env;
  delete environment._EMBERBOX_RUNTIME_SOCKET;
  patchConsole();
  client.address = environment.AWS_LAMBDA_RUNTIME_API;
  const fate = {
    fail: (error, status) => client.initError(error, () => process.exit(status)),
  };
  process.on('uncaughtException', (error) => {
    logError('Uncaught Exception', error);
    fate.fail(error, EXIT_EXCEPTION);
  });
  process.on('unhandledRejection', (reason, promise) => {
    const error = new UnhandledPromiseRejection(reason, promise);
    logError('Unhandled Promise Rejection', error);
    fate.fail(error, EXIT_REJECTION);
  });
  setRequest(undefined);
  let handler;
  try {
    handler = await loadHandler(environment.LAMBDA_TASK_ROOT || '/var/task', environment._HANDLER);
  } catch (error) {
    logError('Uncaught Exception', error);
    client.initError(error, () => process.exit(EXIT_EXCEPTION));
    return;
  }
  new Loop(client, handler, fate).start();
}

main();
