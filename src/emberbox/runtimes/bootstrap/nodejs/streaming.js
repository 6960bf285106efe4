// Response streaming: the stream a handler writes to, and the HTTP prelude that may go before.
//
// Source: "Response streaming for Lambda functions" of AWS's guide.
'use strict';

const { Writable } = require('stream');

const failures = require('./failures');

const DEFAULT_CONTENT_TYPE = 'application/octet-stream';
const HTTP_CONTENT_TYPE = 'application/vnd.awslambda.http-integration-response';
const PRELUDE_END = Buffer.alloc(8);

/** What a handler writes to; goes out in chunks as it is written. */
class ResponseStream extends Writable {
  #client;
  #requestId;
  #contentType = DEFAULT_CONTENT_TYPE;
  #prelude = null;
  #begun = false;
  #taken;

  /** `taken` is called when the platform has the whole answer. */
  constructor(client, requestId, highWaterMark, taken) {
    super({ highWaterMark, decodeStrings: true });
    this.#client = client;
    this.#requestId = requestId;
    this.#taken = taken;
  }

  setContentType(contentType) {
    if (this.#begun) throw new failures.InvalidStreamingOperation('Cannot set content-type, too late.');
    this.#contentType = contentType;
  }

  /** JSON that goes before the first byte: status, headers, cookies. */
  setPrelude(prelude) {
    this.#prelude = Buffer.concat([Buffer.from(JSON.stringify(prelude)), PRELUDE_END]);
  }

  write(chunk, encoding, callback) {
    const isRaw = typeof chunk === 'string' || chunk instanceof Uint8Array;
    return super.write(isRaw ? chunk : JSON.stringify(chunk), encoding, callback);
  }

  _write(chunk, _encoding, callback) {
    this.#begin();
    if (chunk.length === 0) callback();
    else this.#client.writeChunk(chunk, callback);
  }

  _final(callback) {
    this.#begin();
    this.#client.endStream();
    callback();
  }

  /** End what has been begun, or has not, with an error: a prelude goes before the first byte only. */
  cutShort(error) {
    if (this.writableFinished) return false;
    this.#prelude = null;
    this.#begin();
    this.#client.endStream(error);
    this.destroy();
    return true;
  }

  #begin() {
    if (this.#begun) return;
    this.#begun = true;
    this.#client.beginStream(this.#requestId, this.#contentType, this.#taken);
    if (this.#prelude !== null) this.#client.writeChunk(this.#prelude);
  }
}

/** `awslambda.HttpResponseStream`. */
class HttpResponseStream {
  static from(stream, prelude) {
    stream.setContentType(HTTP_CONTENT_TYPE);
    stream.setPrelude(prelude);
    return stream;
  }
}

module.exports = { HttpResponseStream, ResponseStream };
