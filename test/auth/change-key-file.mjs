/* A process of its own that changes a key file on each message. */
import { changeKeyFile } from '../../dist/auth/file-key-store.js';

process.on('message', async ({ path, agent }) => {
  try {
    await changeKeyFile(path, book => ({
      book: { ...book, agents: { ...book.agents, [agent]: { scopes: [] } } },
    }));
    process.send('changed');
  } catch (error) {
    process.send(error.message);
  }
});
process.on('disconnect', () => process.exit());
process.send('up');
