// Finds the handler: `dir/file.a.b` is what `a.b` of file.js, file.mjs or file.cjs in dir exports.
//
// Source: "Define Lambda function handler in Node.js" of AWS's guide; errors named as AWS does.
'use strict';

const fs = require('fs');
const Module = require('module');
const path = require('path');
const { pathToFileURL } = require('url');

const failures = require('./failures');
const { HttpResponseStream } = require('./streaming');

const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const HIGH_WATER_MARK = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');
// Node's message about a missing module lists who asked for it: we appear as AWS's runtime does.
const requireFrom = Module.createRequire('/var/runtime/index.mjs');

class Handler {
  /** `isStreaming` says that it writes to a stream, `takesCallback` that it declares a callback. */
  constructor(call) {
    this.call = call;
    this.isStreaming = Boolean(call[STREAMING]);
    if (this.isStreaming && call[STREAMING] !== 'response') {
      throw new failures.MalformedStreamingHandler('Only response streaming is supported.');
    }
    this.highWaterMark = call[HIGH_WATER_MARK];
    this.takesCallback = call.length >= 3 && !this.isStreaming;
  }
}

/** Load what `name` names below `root`; the error is AWS's if that fails. */
async function loadHandler(root, name = '') {
  if (name.includes('..')) {
    throw new failures.MalformedHandlerName(
      `'${name}' is not a valid handler name. Use absolute paths when specifying root ` +
        'directories in handler names.',
    );
  }
  const parts = /^(.*\/)?([^./]*)\.([^/]*)$/.exec(name);
  if (parts === null) throw new failures.MalformedHandlerName('Bad handler');
  const [, directory = '', file, exported] = parts;
  offerStreaming();
  const found = await load(root, directory, file);
  const call = exported.split('.').reduce((value, key) => value && value[key], found);
  if (!call) throw new failures.HandlerNotFound(`${name} is undefined or not exported`);
  if (typeof call !== 'function') throw new failures.HandlerNotFound(`${name} is not a function`);
  return refuseCallback(new Handler(call));
}

/** Node.js 24 and later have no callbacks, on whatever Node the function runs. */
function refuseCallback(handler) {
  if (handler.takesCallback && !hasCallbacks()) {
    throw new failures.CallbackHandlerDeprecated(
      'ERROR: AWS Lambda has removed support for callback-based function handlers starting with ' +
        'Node.js 24. You need to modify this function to use a supported handler signature to ' +
        'use Node.js 24 or later. For more information see ' +
        'https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.',
    );
  }
  return handler;
}

/** Whether the runtime that was asked for knows callbacks. */
function hasCallbacks() {
  const asked = /nodejs(\d+)/.exec(process.env.AWS_EXECUTION_ENV || '');
  return asked === null || Number(asked[1]) < 24;
}

function offerStreaming() {
  // There already, if this process has rehearsed.
  delete globalThis.awslambda;
  if (/^(1|true)$/.test(process.env.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA || '')) return;
  globalThis.awslambda = {
    streamifyResponse(handler, options) {
      handler[STREAMING] = 'response';
      if (typeof options?.highWaterMark === 'number') {
        handler[HIGH_WATER_MARK] = Math.trunc(options.highWaterMark);
      }
      return handler;
    },
    HttpResponseStream,
  };
}

async function load(root, directory, file) {
  try {
    return await loadFile(root, directory, file);
  } catch (error) {
    if (error instanceof SyntaxError) throw new failures.UserCodeSyntaxError(error);
    if (error?.code === 'MODULE_NOT_FOUND' || error?.code === 'ERR_MODULE_NOT_FOUND') {
      throw new failures.ImportModuleError(error);
    }
    throw error;
  }
}

async function loadFile(root, directory, file) {
  const base = path.resolve(root, directory, file);
  if (fs.statSync(base, { throwIfNoEntry: false })?.isFile()) return requireFrom(base);
  if (fs.existsSync(`${base}.js`)) {
    return isModuleFolder(path.dirname(base)) ? importFile(`${base}.js`) : requireFrom(`${base}.js`);
  }
  if (fs.existsSync(`${base}.mjs`)) return importFile(`${base}.mjs`);
  if (fs.existsSync(`${base}.cjs`)) return requireFrom(`${base}.cjs`);
  // A folder with an index, or a module of a layer.
  return requireFrom(requireFrom.resolve(file, { paths: [root, path.join(root, directory)] }));
}

/** Whether the nearest package.json says that .js files are ES modules. */
function isModuleFolder(folder) {
  for (let place = folder; !place.endsWith('/node_modules'); place = path.dirname(place)) {
    const description = path.join(place, 'package.json');
    if (fs.existsSync(description)) {
      try {
        return JSON.parse(fs.readFileSync(description, 'utf8'))?.type === 'module';
      } catch (error) {
        console.warn(`${description} cannot be read, it is ignored for ES module detection.`, error);
        return false;
      }
    }
    if (place === path.dirname(place)) break;
  }
  return false;
}

function importFile(file) {
  useNodePath();
  return import(pathToFileURL(file).href);
}

/** ES modules do not heed NODE_PATH, where layers are: have it looked through too. */
function useNodePath() {
  const places = (process.env.NODE_PATH || '')
    .split(':')
    .filter((place) => place.endsWith('/node_modules') && fs.existsSync(place));
  if (places.length === 0) return;
  if (Module.registerHooks) {
    Module.registerHooks({
      resolve: (specifier, context, next) => resolveIn(places, specifier, context, next),
    });
  } else if (Module.register) {
    Module.register('./node_path_hooks.mjs', pathToFileURL(__filename).href, { data: places });
  }
}

function resolveIn(places, specifier, context, next) {
  try {
    return next(specifier, context);
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND' || /^[./]|^\w+:/.test(specifier)) throw error;
    for (const place of places) {
      try {
        const parentURL = pathToFileURL(path.join(path.dirname(place), 'any.js')).href;
        return next(specifier, { ...context, parentURL });
      } catch {
        // The next place may have it.
      }
    }
    throw error;
  }
}

module.exports = { hasCallbacks, loadHandler };
