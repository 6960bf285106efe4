// The console of a function: lines with time, request and level, each one event of the log.
//
// Frames on the log channel are those of AWS's managed runtimes: type, length, microseconds, text;
// the environment tells the descriptor in _LAMBDA_TELEMETRY_LOG_FD.
'use strict';

const fs = require('fs');
const util = require('util');

const { asError, inLog, trace } = require('./failures');

const TEXT_FRAME = 0xa55a0003;
const JSON_FRAME = 0xa55a0002;
const HEADER_BYTES = 16;
const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];
const METHODS = {
  trace: 'TRACE', debug: 'DEBUG', info: 'INFO', log: 'INFO',
  warn: 'WARN', error: 'ERROR', fatal: 'FATAL',
};
const PAUSE = new Int32Array(new SharedArrayBuffer(4));

const current = { requestId: undefined, tenantId: undefined };
let isJson = false;

/** Lines from here on belong to this request. */
function setRequest(requestId, tenantId) {
  current.requestId = requestId;
  current.tenantId = tenantId;
}

function writeAll(descriptor, data) {
  let written = 0;
  while (written < data.length) {
    try {
      written += fs.writeSync(descriptor, data, written);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
      // The pipe is full and was made non-blocking, by Node's own process.stdout for instance.
      Atomics.wait(PAUSE, 0, 0, 1);
    }
  }
}

function frameWriter(descriptor) {
  const type = isJson ? JSON_FRAME : TEXT_FRAME;
  return (level, text) => {
    const length = Buffer.byteLength(text);
    const data = Buffer.allocUnsafe(HEADER_BYTES + length);
    data.writeUInt32BE((type | ((LEVELS.indexOf(level) + 1) << 2)) >>> 0, 0);
    data.writeUInt32BE(length, 4);
    data.writeBigUInt64BE(BigInt(Date.now()) * 1000n, 8);
    data.write(text, HEADER_BYTES);
    writeAll(descriptor, data);
  };
}

function lineWriter(_level, text) {
  writeAll(1, Buffer.from(text.slice(0, -1).replaceAll('\n', '\r') + '\n'));
}

function asText(level, parameters) {
  return `${new Date().toISOString()}\t${current.requestId}\t${level}\t${util.format(...parameters)}\n`;
}

function asJson(level, parameters) {
  const line = { timestamp: new Date().toISOString(), level, requestId: current.requestId };
  if (current.tenantId !== undefined) line.tenantId = current.tenantId;
  if (parameters.length === 1) {
    line.message = parameters[0];
    try {
      return `${JSON.stringify(line, errorsAsObjects)}\n`;
    } catch {
      line.message = util.format(line.message);
      return `${JSON.stringify(line)}\n`;
    }
  }
  line.message = util.format(...parameters);
  const error = parameters.find((each) => each instanceof Error);
  if (error !== undefined) Object.assign(line, errorFields(error));
  return `${JSON.stringify(line)}\n`;
}

function errorFields(error) {
  return {
    errorType: error.constructor?.name ?? 'UnknownError',
    errorMessage: error.message,
    stackTrace: typeof error.stack === 'string' ? trace(error.stack) : [],
  };
}

function errorsAsObjects(_key, value) {
  return value instanceof Error ? { ...errorFields(value), ...value } : value;
}

/** Put our methods in the place of the console's. */
function patchConsole() {
  const environment = process.env;
  isJson = (environment.AWS_LAMBDA_LOG_FORMAT || '').toUpperCase() === 'JSON';
  const descriptor = environment._LAMBDA_TELEMETRY_LOG_FD;
  delete environment._LAMBDA_TELEMETRY_LOG_FD;
  const format = isJson ? asJson : asText;
  const write = descriptor ? frameWriter(Number(descriptor)) : lineWriter;
  const least = LEVELS.indexOf((environment.AWS_LAMBDA_LOG_LEVEL || '').toUpperCase());
  for (const [method, level] of Object.entries(METHODS)) {
    const isHeard = LEVELS.indexOf(level) >= least || level === 'FATAL';
    console[method] = isHeard ? (...parameters) => write(level, format(level, parameters)) : () => {};
  }
}

/** Format a line for nobody. */
function rehearseLog() {
  asText('INFO', ['%s', 'text', { some: ['value'] }]);
  inLog(new Error());
}

/** What went wrong, as AWS words it. */
function logError(title, error) {
  if (isJson) console.error(asError(error));
  else console.error(title, `\t${inLog(asError(error))}`);
}

module.exports = { logError, patchConsole, rehearseLog, setRequest };
