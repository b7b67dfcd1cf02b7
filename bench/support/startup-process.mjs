/* Starts one app, says how long that took, and ends. */
const settings = JSON.parse(process.argv[2]);
const beginMs = performance.now();
// Both load everything, so that what is measured is the start and not the files of the peers.
const { createApp } = await import('./app.mjs');
const loadedMs = performance.now();
const app = await createApp(settings);
await app.listen(0, '127.0.0.1');
const startedMs = performance.now();
process.send({ loadMs: loadedMs - beginMs, startMs: startedMs - loadedMs }, () => process.exit());
