// Module hooks, run by Node in a thread of their own where it has no synchronous ones (before 22.15):
// bare names that are not found are looked for in the node_modules folders of NODE_PATH.
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

let places = [];

export function initialize(data) {
  places = data;
}

export async function resolve(specifier, context, next) {
  try {
    return await next(specifier, context);
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND' || /^[./]|^\w+:/.test(specifier)) throw error;
    for (const place of places) {
      try {
        const parentURL = pathToFileURL(join(dirname(place), 'any.js')).href;
        return await next(specifier, { ...context, parentURL });
      } catch {
        // The next place may have it.
      }
    }
    throw error;
  }
}
