/* A server of its own process: sends its port, and its CPU time on each message. */
import { createApp } from './app.mjs';

const app = await createApp(JSON.parse(process.argv[2]));
await app.listen(0, '127.0.0.1');

process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send({ cpuUs: user + system });
});
process.on('disconnect', () => process.exit());
process.send({ port: app.getHttpServer().address().port });
