// HTTP client of the Runtime API, version 2018-06-01, on one kept connection.
//
// The answer to an invocation and the request for the next one leave in a single write. While a
// handler runs the connection does not keep the event loop alive: an empty loop is noticed.
'use strict';

const net = require('net');

const { payload } = require('./failures');

const BASE = '/2018-06-01/runtime/';
const HEAD_END = '\r\n\r\n';
// Node can name abstract sockets from this version on, and fills shorter names with zeros.
const ABSTRACT_SINCE = 20;
const ABSTRACT_LENGTH = 108;

class RuntimeClient {
  #socket;
  #buffer = null;
  #waiting = [];
  #next;

  /** On an abstract Unix socket (`@name`) where the platform has one, else on TCP. */
  constructor(socketName) {
    const isAbstract =
      socketName?.length === ABSTRACT_LENGTH && parseInt(process.versions.node, 10) >= ABSTRACT_SINCE;
    const [host, port] = (process.env.AWS_LAMBDA_RUNTIME_API || '').split(':');
    this.socketName = socketName;
    this.#socket = net.connect(
      isAbstract ? { path: `\0${socketName.slice(1)}` } : { host, port: Number(port), noDelay: true },
    );
    this.#socket.on('data', (data) => this.#receive(data));
    this.#socket.on('error', () => this.#lost());
    this.#socket.on('close', () => this.#lost());
    this.#socket.unref();
  }

  /** Without the platform there is nothing left to do; before it is needed, nothing is lost. */
  #lost() {
    if (this.#next !== undefined) process.exit(1);
  }

  /** What the Host header says; from here on the connection is needed. */
  set address(address) {
    this.#next = `GET ${BASE}invocation/next HTTP/1.1\r\nHost: ${address}\r\n\r\n`;
  }

  /** Ask for an invocation; `heard` gets its lower-case headers and its body. */
  next(heard) {
    this.#socket.ref();
    this.#waiting.push(heard);
    this.#socket.write(this.#next);
  }

  /** Answer an invocation with JSON, and ask for the next one. */
  respondThenNext(requestId, body, heard) {
    this.#sendThenNext(
      `POST ${BASE}invocation/${requestId}/response HTTP/1.1\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      heard,
    );
  }

  /** Report a failed invocation, and ask for the next one. */
  failThenNext(requestId, error, heard) {
    this.#sendThenNext(this.#failure(`invocation/${requestId}/error`, error), heard);
  }

  /** Report a failed invocation; `done` is called when the platform knows. */
  fail(requestId, error, done) {
    this.#send(this.#failure(`invocation/${requestId}/error`, error), done);
  }

  /** Report that the function cannot be initialised. */
  initError(error, done) {
    this.#send(this.#failure('init/error', error), done);
  }

  /** Begin an answer in pieces; `done` is called when the platform has taken it to its end. */
  beginStream(requestId, contentType, done) {
    this.#send(
      `POST ${BASE}invocation/${requestId}/response HTTP/1.1\r\nContent-Type: ${contentType}\r\n` +
        'Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n' +
        'Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n',
      done,
    );
  }

  /** A piece of the answer; `written` is called when there is room for the next. */
  writeChunk(chunk, written) {
    this.#socket.cork();
    this.#socket.write(`${chunk.length.toString(16)}\r\n`);
    this.#socket.write(chunk);
    this.#socket.write('\r\n', written);
    this.#socket.uncork();
  }

  /** The end of the answer, with the error that cut it short, if one did. */
  endStream(error) {
    if (error === undefined) {
      this.#socket.write(`0${HEAD_END}`);
      return;
    }
    const told = payload(error);
    const body = Buffer.from(JSON.stringify(told)).toString('base64');
    this.#socket.write(
      `0\r\nLambda-Runtime-Function-Error-Type: ${inHeader(told.errorType)}\r\n` +
        `Lambda-Runtime-Function-Error-Body: ${body}${HEAD_END}`,
    );
  }

  #failure(path, error) {
    const told = payload(error);
    const body = JSON.stringify(told);
    return (
      `POST ${BASE}${path} HTTP/1.1\r\nContent-Type: application/json\r\n` +
      `Lambda-Runtime-Function-Error-Type: ${inHeader(told.errorType)}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
    );
  }

  #send(request, done) {
    this.#socket.ref();
    this.#waiting.push(done);
    this.#socket.write(request);
  }

  #sendThenNext(request, heard) {
    this.#socket.ref();
    this.#waiting.push(null, heard);
    this.#socket.write(request + this.#next);
  }

  /** Take an answer that nobody has sent. */
  rehearse() {
    this.#waiting.push(null);
    this.#receive(Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: 2${HEAD_END}{}`));
  }

  #receive(data) {
    this.#buffer = this.#buffer === null ? data : Buffer.concat([this.#buffer, data]);
    for (;;) {
      const answer = this.#takeAnswer();
      if (answer === null) return;
      const heard = this.#waiting.shift();
      if (this.#waiting.length === 0) this.#socket.unref();
      if (heard) heard(answer.headers, answer.body);
    }
  }

  #takeAnswer() {
    const buffer = this.#buffer;
    const end = buffer === null ? -1 : buffer.indexOf(HEAD_END);
    if (end < 0) return null;
    const [, ...lines] = buffer.latin1Slice(0, end).split('\r\n');
    const headers = {};
    for (const line of lines) {
      const colon = line.indexOf(':');
      headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
    }
    const begin = end + HEAD_END.length;
    const stop = begin + Number(headers['content-length'] || 0);
    if (buffer.length < stop) return null;
    this.#buffer = buffer.length === stop ? null : buffer.subarray(stop);
    return { headers, body: buffer.subarray(begin, stop) };
  }
}

/** What may stand in a header: what does not is shown as a question mark. */
function inHeader(text) {
  return String(text).replace(/[^\x21-\x7e]/g, '?');
}

module.exports = { RuntimeClient };
