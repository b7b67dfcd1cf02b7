/* Mistakes in `telemetry` that stop the start-up. */
import { checkConfiguration } from '../support/configuration.js';

checkConfiguration({
  rows: [
    ['telemetry: a text', { telemetry: 'otel' }, 'ASEC_OPTION_TYPE', 'telemetry', '"otel"'],
    ['telemetry: null', { telemetry: null }, 'ASEC_OPTIONS_MISSING', 'telemetry', 'is null'],
    [
      'telemetry.arguments: a text',
      { telemetry: { arguments: 'all' } },
      'ASEC_OPTION_TYPE',
      'telemetry.arguments',
      '"all"',
    ],
  ],
  unknownKeys: [['telemetry.argument', { telemetry: { argument: true } }, 'arguments']],
});
