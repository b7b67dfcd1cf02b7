/* A server of its own process: sends its port and what its requests carry, and its CPU time on each message. */
import { createApp } from './app.mjs';
import { createAgent } from './agent.mjs';

const settings = JSON.parse(process.argv[2]);
const agent = settings.withAgent ? createAgent() : undefined;
const app = await createApp({ ...settings, book: agent?.book });
if (settings.lossUs !== undefined) plantLoss(app.getHttpServer(), settings.lossUs);
// Otherwise V8 may keep a part of Node slow for the life of this process, or not, by chance.
globalThis.gc();
await app.listen(0, '127.0.0.1');

process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send({ cpuUs: user + system });
});
process.on('disconnect', () => process.exit());
process.send({
  port: app.getHttpServer().address().port,
  headers: agent === undefined ? {} : { Authorization: `Bearer ${agent.key}` },
});

/** Makes each request cost so many microseconds of CPU time more, as a slow check would. */
function plantLoss(server, lossUs) {
  const cpuUs = () => {
    const { user, system } = process.cpuUsage();
    return user + system;
  };
  server.prependListener('request', () => {
    const endUs = cpuUs() + lossUs;
    while (cpuUs() < endUs);
  });
}
