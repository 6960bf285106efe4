// Imported while a runtime waits for its function: see index.js.
export {};
