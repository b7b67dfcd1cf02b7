/* Mistakes in `cspReports` that stop the start-up. */
import { checkConfiguration } from '../support/configuration.js';

checkConfiguration({
  rows: [
    [
      'cspReports.path: a quote',
      { cspReports: { path: '/a"b' } },
      'ASEC_PATH_INVALID',
      'cspReports.path',
      'an exact path',
    ],
    [
      'cspReports.path: a segment that clients remove',
      { cspReports: { path: '/a/../b' } },
      'ASEC_PATH_INVALID',
      'cspReports.path',
      'no segment "." or ".."',
    ],
  ],
  unknownKeys: [['cspReports.paths', { cspReports: { paths: '/x' } }, 'path']],
});
