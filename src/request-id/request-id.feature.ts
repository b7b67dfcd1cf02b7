import { type Feature, provideOptions } from '../common/feature.js';
import { RequestIdInterceptor } from './request-id.interceptor.js';
import { RESOLVED_REQUEST_ID, type ResolvedRequestId, resolveRequestId } from './request-id.options.js';

export const REQUEST_ID: Feature<'requestId', ResolvedRequestId | false> = {
  key: 'requestId',
  resolve: resolveRequestId,
  providers: [
    provideOptions(
      RESOLVED_REQUEST_ID,
      ({ requestId }: { requestId: ResolvedRequestId | false }) => requestId,
    ),
    RequestIdInterceptor,
  ],
  exports: [RequestIdInterceptor, RESOLVED_REQUEST_ID],
};
