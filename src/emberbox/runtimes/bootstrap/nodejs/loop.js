// The invocation loop: call the handler, answer, wait for the next.
//
// A handler answers by its promise, or until Node.js 24 by a callback or a method of its context.
// What a callback gave is sent when the event loop is empty, unless the context says otherwise; an
// empty loop without an answer is answered with null.
'use strict';

const { logError, setRequest } = require('./console');
const { describeInvocation } = require('./context');
const { JSONStringifyError } = require('./failures');
const { hasCallbacks } = require('./handler');
const { ResponseStream } = require('./streaming');

const nothing = () => {};
const NO_LENGTH = 'Unable to stringify response body';

class Loop {
  #client;
  #handler;
  #fate;
  #hasCallbacks = hasCallbacks();
  #whenEmpty = nothing;
  #serve;

  /** `fate.fail(error, status)` is what an uncaught error does: set anew for each invocation. */
  constructor(client, handler, fate) {
    this.#client = client;
    this.#handler = handler;
    this.#fate = fate;
    const run = handler.isStreaming ? this.#stream : this.#answer;
    this.#serve = (headers, body) => {
      this.#begin(headers);
      run.call(this, headers['lambda-runtime-aws-request-id'], headers, body);
    };
    process.on('beforeExit', () => {
      const act = this.#whenEmpty;
      this.#whenEmpty = nothing;
      act();
    });
  }

  start() {
    this.#client.next(this.#serve);
  }

  #begin(headers) {
    const requestId = headers['lambda-runtime-aws-request-id'];
    setRequest(requestId, headers['lambda-runtime-aws-tenant-id']);
    const trace = headers['lambda-runtime-trace-id'];
    if (trace) process.env._X_AMZN_TRACE_ID = trace;
    else delete process.env._X_AMZN_TRACE_ID;
    this.#fate.fail = (error, status) => {
      this.#client.fail(requestId, error, () => process.exit(status));
    };
  }

  // -- answers in one piece ----------------------------------------------------------------------

  #answer(requestId, headers, body) {
    const answer = new Answer(this.#client, requestId, this.#serve, (act) => {
      this.#whenEmpty = act;
    });
    if (this.#hasCallbacks) this.#whenEmpty = () => answer.succeed(null);
    try {
      const context = describeInvocation(this.#hasCallbacks ? answer.methods() : {}, headers);
      const event = JSON.parse(body.utf8Slice());
      const { call } = this.#handler;
      const result = this.#hasCallbacks ? call(event, context, answer.callback) : call(event, context);
      if (typeof result?.then === 'function') {
        result.then(answer.succeed, answer.fail);
      } else if (!this.#hasCallbacks) {
        answer.succeed(result);
      }
    } catch (error) {
      answer.fail(error);
    }
  }

  // -- answers in pieces -------------------------------------------------------------------------

  async #stream(requestId, headers, body) {
    let taken;
    const whole = new Promise((resolve) => {
      taken = resolve;
    });
    const stream = new ResponseStream(this.#client, requestId, this.#handler.highWaterMark, taken);
    const context = describeInvocation({ callbackWaitsForEmptyEventLoop: true }, headers);
    this.#whenEmpty = () => {
      stream.cutShort(new Error('Response stream is not finished.'));
      whole.then(() => this.start());
    };
    const { call } = this.#handler;
    try {
      const result = call(JSON.parse(body.utf8Slice()), stream, context);
      if (typeof result?.then !== 'function') {
        throw 'Streaming does not support non-async handlers.';
      }
      if ((await result) !== undefined) console.warn('Streaming handlers ignore return values.');
      if (!stream.writableEnded) throw 'Response stream is not finished.';
    } catch (error) {
      logError('Invoke Error', error);
      stream.cutShort(error);
    }
    await whole;
    if (context.callbackWaitsForEmptyEventLoop) this.#whenEmpty = () => this.start();
    else {
      this.#whenEmpty = nothing;
      this.start();
    }
  }
}

/** The one answer to an invocation, whoever gives it first. */
class Answer {
  #client;
  #requestId;
  #serve;
  #setWhenEmpty;
  #isGiven = false;
  #waits = true;

  constructor(client, requestId, serve, setWhenEmpty) {
    this.#client = client;
    this.#requestId = requestId;
    this.#serve = serve;
    this.#setWhenEmpty = setWhenEmpty;
  }

  succeed = (result) => {
    if (this.#isGiven) return;
    let body;
    try {
      body = JSON.stringify(result === undefined ? null : result);
      // A function has no JSON, and is no error either.
      if (body === undefined) body = 'null';
    } catch {
      this.fail(hasCallbacks() ? new Error(NO_LENGTH) : new JSONStringifyError(NO_LENGTH));
      return;
    }
    this.#isGiven = true;
    this.#setWhenEmpty(nothing);
    this.#client.respondThenNext(this.#requestId, body, this.#serve);
  };

  fail = (error) => {
    if (this.#isGiven) return;
    this.#isGiven = true;
    this.#setWhenEmpty(nothing);
    const cause = error ?? 'handled';
    logError('Invoke Error', cause);
    this.#client.failThenNext(this.#requestId, cause, this.#serve);
  };

  callback = (error, result) => {
    if (error !== undefined && error !== null) this.fail(error);
    else if (this.#waits) this.#setWhenEmpty(() => this.succeed(result));
    else this.succeed(result);
  };

  done = (error, result) => {
    if (error !== undefined && error !== null) this.fail(error);
    else this.succeed(result);
  };

  /** What the context has of it. */
  methods() {
    const answer = this;
    return {
      get callbackWaitsForEmptyEventLoop() {
        return answer.#waits;
      },
      set callbackWaitsForEmptyEventLoop(value) {
        answer.#waits = Boolean(value);
      },
      succeed: this.succeed,
      fail: this.fail,
      done: this.done,
    };
  }
}

module.exports = { Loop };
