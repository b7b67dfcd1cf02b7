/* Mistakes in `tools` that stop the start-up. */
import { inspect } from 'node:util';
import { checkConfiguration, type Row } from '../support/configuration.js';

checkConfiguration({
  rows: [
    ['tools: null', { tools: null }, 'ASEC_OPTIONS_MISSING', 'tools', 'is null'],
    [
      'tools.policies: a Map',
      { tools: { policies: new Map() } },
      'ASEC_OPTION_TYPE',
      'tools.policies',
      'a plain object',
    ],
    [
      'tools.allow: a promise',
      { tools: { allow: Promise.resolve({}) } },
      'ASEC_OPTION_TYPE',
      'tools.allow',
      'a plain object',
    ],
    ['tools.allow: a list', { tools: { allow: ['read_*'] } }, 'ASEC_OPTION_TYPE', 'tools.allow', 'read_*'],
    ['tools.allow: a text', { tools: { allow: { a: 'x' } } }, 'ASEC_OPTION_TYPE', 'tools.allow.a', '"x"'],
    [
      'tools.allow: undefined',
      { tools: { allow: { a: undefined } } },
      'ASEC_OPTIONS_MISSING',
      'tools.allow.a',
      'undefined',
    ],
    [
      'tools.allow: a name that is none',
      { tools: { allow: { a: ['x y'] } } },
      'ASEC_TOOL_NAME',
      'tools.allow.a[0]',
      '"x y"',
    ],
    [
      'tools.allow: an agent that is none',
      { tools: { allow: { 'a b': [] } } },
      'ASEC_TOOL_NAME',
      'tools.allow.a b',
      '"a b"',
    ],
    [
      'tools.policies: a name that is none',
      { tools: { policies: { '': {} } } },
      'ASEC_TOOL_NAME',
      'tools.policies.',
      '""',
    ],
    [
      'tools.policies: an unknown key',
      { tools: { policies: { a: { limits: '1/s' } } } },
      'ASEC_OPTION_UNKNOWN',
      'tools.policies.a.limits',
      'Did you mean "limit"?',
    ],
    [
      'tools.policies: a limit of zero',
      { tools: { policies: { a: { limit: '0/s' } } } },
      'ASEC_LIMIT_RANGE',
      'tools.policies.a.limit',
      '"0/s"',
    ],
    [
      'tools.policies: a limit with a key',
      { tools: { policies: { a: { limit: { limit: '1/s', key: 'global' } } } } },
      'ASEC_OPTION_UNKNOWN',
      'tools.policies.a.limit.key',
      'Known here: limit, algorithm, burst',
    ],
    [
      'tools.policies: an alert without a limit',
      { tools: { policies: { a: { alertAt: [0.5] } } } },
      'ASEC_TOOL_ALERT',
      'tools.policies.a.alertAt',
      'needs a limit',
    ],
    ...[0, -1, 1.5, NaN, '1', 101].map((alert): Row => [
      `tools.policies: an alert at ${inspect(alert)} of 100`,
      { tools: { policies: { a: { limit: '100/hour', alertAt: [alert] } } } },
      'ASEC_TOOL_ALERT',
      'tools.policies.a.alertAt[0]',
      `received ${typeof alert === 'string' ? '"1"' : String(alert)}`,
    ]),
    [
      'tools.policies: a scope with a quote',
      { tools: { policies: { a: { scopes: ['a"b'] } } } },
      'ASEC_TOOL_SCOPE',
      'tools.policies.a.scopes[0]',
      'received',
    ],
    [
      'tools.policies: an impact that is none',
      { tools: { policies: { a: { impact: 'severe' } } } },
      'ASEC_OPTION_TYPE',
      'tools.policies.a.impact',
      '"severe"',
    ],
  ],
});
