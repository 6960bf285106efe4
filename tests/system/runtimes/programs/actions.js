// The actions of the conformance suite, in JavaScript.
'use strict';

const fs = require('fs');
const { spawn } = require('child_process');

let count = 0;

exports.handler = async (event, context) => {
  count += 1;
  return ACTIONS[event.do](event, context);
};

const ACTIONS = {
  return: (event) => ({ count, event }),
  print: () => {
    process.stdout.write('printed\n');
  },
  context: (event, context) => ({
    id: context.awsRequestId,
    name: context.functionName,
    version: context.functionVersion,
    memory: Number(context.memoryLimitInMB),
    arn: context.invokedFunctionArn,
    group: context.logGroupName,
    stream: context.logStreamName,
    remaining: context.getRemainingTimeInMillis(),
    custom: context.clientContext ? context.clientContext.custom : null,
  }),
  fail: () => {
    throw new RangeError('on purpose');
  },
  exit: (event) => process.exit(event.status),
  die: () => process.kill(process.pid, 'SIGKILL'),
  keep: () => {
    fs.writeFileSync('/tmp/kept', 'kept');
    return new Promise((resolve) => setTimeout(resolve, 30000));
  },
  branch: (event) => {
    const deaf = `trap '' TERM; exec setsid sleep ${event.seconds}`;
    spawn('sh', ['-c', deaf], { stdio: 'ignore' });
    return new Promise((resolve) => setTimeout(resolve, 30000));
  },
  look: () => ({ kept: fs.existsSync('/tmp/kept'), count }),
  allocate: () => {
    const held = [];
    for (;;) held.push(Buffer.alloc(16 << 20, 'x'));
  },
  loop: () => {
    const result = {};
    result.self = result;
    return result;
  },
  large: (event) => 'x'.repeat(event.size),
  variables: () => ({ ...process.env, cwd: process.cwd() }),
};
