/* Serializes Reporting-Endpoints: the URLs of the endpoints that `report-to` names (Reporting API). */
import { isRecord, rejectMissing } from '../common/read-options.js';
import { showName } from '../common/show-value.js';
import { headerError } from './header-error.js';

export function resolveReportingEndpoints(option: string, value: unknown): string | undefined {
  if (value === undefined || value === false) return undefined;
  if (!isRecord(value) || Object.keys(value).length === 0) {
    throw headerError(option, value, 'must be an object of endpoint names and URLs');
  }
  rejectMissing(option, value);
  const endpoints = Object.entries(value).map(([name, url]) => {
    if (!/^[a-z*][a-z0-9_.*-]*$/.test(name))
      throw headerError(`${option}.${showName(name)}`, name, 'is not an endpoint name');
    if (typeof url !== 'string' || !/^(?:https:\/|)\/[\x21\x23-\x5b\x5d-\x7e]*$/.test(url)) {
      throw headerError(`${option}.${showName(name)}`, url, 'must be an https URL or a path');
    }
    return `${name}="${url}"`;
  });
  return endpoints.join(', ');
}
