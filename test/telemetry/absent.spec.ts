/* An app without @opentelemetry/api. */
import { PROBE } from '../../src/common/probe.js';
import { CHECKS, GUARDS } from '../../src/features.js';
import { SecurityEvents } from '../../src/index.js';
import { PLATFORMS } from '../support/platforms.js';
import { start } from '../support/start.js';
import { HelloController } from '../support/controllers.js';

jest.mock('@opentelemetry/api', () => {
  throw Object.assign(new Error("Cannot find package '@opentelemetry/api' imported from /app/telemetry.js"), {
    code: 'ERR_MODULE_NOT_FOUND',
  });
});

describe.each(PLATFORMS)('%s', (_title, platform) => {
  it('does not start with telemetry, and names the package', async () => {
    await expect(start(platform, { options: { telemetry: true } })).rejects.toMatchObject({
      name: 'AgentSecurityConfigError',
      code: 'ASEC_OPTION_TYPE',
      option: 'telemetry',
      message: expect.stringContaining('npm install @opentelemetry/api'),
    });
  });

  it('starts and serves without telemetry', async () => {
    const { app, send } = await start(platform, { controllers: [HelloController] });
    expect((await send('/')).status).toBe(200);
    // Nothing is measured: there is no observer, no listener and no further check or guard.
    expect(app.get(PROBE, { strict: false })).toBeUndefined();
    expect(app.get(SecurityEvents, { strict: false }).isObserved).toBe(false);
    const added = [CHECKS[0]!, CHECKS.at(-1)!, GUARDS[0].token, GUARDS.at(-1)!.token];
    for (const token of added) expect(app.get(token, { strict: false })).toBeUndefined();
  });
});
