// Failures of a function as AWS reports them: error type, message, trace.
'use strict';

const { types } = require('util');

const OWN = __dirname;

class RuntimeFailure extends Error {}

function failureClass(name) {
  const made = class extends RuntimeFailure {};
  made.prototype.name = `Runtime.${name}`;
  return made;
}

const ImportModuleError = failureClass('ImportModuleError');
const HandlerNotFound = failureClass('HandlerNotFound');
const MalformedHandlerName = failureClass('MalformedHandlerName');
const UserCodeSyntaxError = failureClass('UserCodeSyntaxError');
const MalformedStreamingHandler = failureClass('MalformedStreamingHandler');
const InvalidStreamingOperation = failureClass('InvalidStreamingOperation');
const CallbackHandlerDeprecated = failureClass('CallbackHandlerDeprecated');
const JSONStringifyError = failureClass('JSONStringifyError');

class UnhandledPromiseRejection extends RuntimeFailure {
  constructor(reason, promise) {
    super(String(reason));
    this.reason = reason;
    this.promise = promise;
  }
}
UnhandledPromiseRejection.prototype.name = 'Runtime.UnhandledPromiseRejection';

function isError(value) {
  return (
    types.isNativeError(value) ||
    Boolean(value) &&
      ['name', 'message', 'stack'].every((field) => value[field] && typeof value[field] === 'string')
  );
}

/** Lines of a stack without those of this runtime. */
function trace(stack) {
  return stack.split('\n').filter((line) => !line.includes(OWN));
}

/** What the caller of a failed invocation gets. */
function payload(error) {
  try {
    if (!isError(error)) {
      return { errorType: typeof error, errorMessage: error.toString(), trace: [] };
    }
    return {
      errorType: printable(error.name),
      errorMessage: printable(error.message),
      trace: trace(printable(error.stack)),
    };
  } catch {
    return {
      errorType: 'handled',
      errorMessage:
        'callback called with Error argument, but there was a problem while retrieving one or ' +
        'more of its message, name, and stack',
    };
  }
}

function printable(text) {
  return text === undefined ? undefined : String(text).replaceAll('\x7f', '%7F');
}

/** An error with all its own fields, for the log. */
function described(error) {
  const fields = { errorType: error.name, errorMessage: error.message, code: error.code, ...error };
  if (typeof error.stack === 'string') fields.stack = trace(error.stack);
  return fields;
}

/** The error as one line of JSON, as it stands in the log. */
function inLog(error) {
  try {
    return JSON.stringify(error, (_key, value) => (value instanceof Error ? described(value) : value));
  } catch {
    return JSON.stringify(payload(error));
  }
}

function asError(value) {
  return value instanceof Error ? value : new Error(value);
}

module.exports = {
  CallbackHandlerDeprecated,
  HandlerNotFound,
  ImportModuleError,
  InvalidStreamingOperation,
  JSONStringifyError,
  MalformedHandlerName,
  MalformedStreamingHandler,
  UnhandledPromiseRejection,
  UserCodeSyntaxError,
  asError,
  inLog,
  payload,
  trace,
};
