/* Mistakes in `dashboard` that stop the start-up. */
import { checkConfiguration, identify, resolve } from '../support/configuration.js';

const auth = { identify };

checkConfiguration({
  rows: [
    ['dashboard without auth', { dashboard: true }, 'ASEC_AUTH_ROUTE', 'dashboard', 'auth is off'],
    [
      'dashboard.path: a query',
      { auth, dashboard: '/security?x' },
      'ASEC_PATH_INVALID',
      'dashboard.path',
      'an exact path',
    ],
    [
      'dashboard.path: a segment that clients remove',
      { auth, dashboard: '/security/.' },
      'ASEC_PATH_INVALID',
      'dashboard.path',
      'no segment "." or ".."',
    ],
    [
      'dashboard.scopes: none, which would let every agent in',
      { auth, dashboard: { scopes: [] } },
      'ASEC_OPTION_TYPE',
      'dashboard.scopes',
      'must name a scope',
    ],
    [
      'dashboard.actionScopes: none',
      { auth, dashboard: { actionScopes: [] } },
      'ASEC_OPTION_TYPE',
      'dashboard.actionScopes',
      'must name a scope',
    ],
    [
      'dashboard.actionScopes: actions that no audit records',
      { auth, audit: false, dashboard: { actionScopes: ['ops:act'] } },
      'ASEC_OPTION_TYPE',
      'dashboard.actionScopes',
      'nothing would record',
    ],
    [
      'dashboard.scopes: a text',
      { auth, dashboard: { scopes: 'ops' } },
      'ASEC_OPTION_TYPE',
      'dashboard.scopes',
      'received "ops"',
    ],
  ],
  unknownKeys: [['dashboard.scope', { auth, dashboard: { scope: ['ops'] } }, 'scopes']],
});

describe('dashboard', () => {
  it.each([
    ['is off by default', undefined, false],
    ['has defaults', true, { path: '/security', scopes: ['ops'], actionScopes: undefined }],
    ['takes a path alone', '/ops', { path: '/ops', scopes: ['ops'], actionScopes: undefined }],
  ])('%s', (_title, dashboard, expected) => {
    expect(resolve({ auth, ...(dashboard === undefined ? {} : { dashboard }) }).dashboard).toEqual(expected);
  });
});
