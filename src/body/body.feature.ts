import { type Feature, type GuardEntry, provideOptions } from '../common/feature.js';
import { risk } from '../common/risk.js';
import { BodyGuard } from './body.guard.js';
import { RESOLVED_BODY, type ResolvedBody, resolveBody } from './body.options.js';
import { checkDeclaredBody } from './check-body.js';
import type { EdgeCheck } from '../common/edge-stage.js';

export interface BodyFeatureOptions {
  readonly body: ResolvedBody | false;
}

export const DECLARED_BODY_CHECK = Symbol('agent-security:declared-body-check');

/** Rejects a body whose declared length is too large, before any of it is read. */
const createDeclaredBodyCheck = ({ maxBytes }: ResolvedBody): EdgeCheck => ({
  check: ({ method = '', headers }) => checkDeclaredBody(method, headers, maxBytes),
});

export const BODY: Feature<'body', ResolvedBody | false> = {
  key: 'body',
  resolve: resolveBody,
  summarize: body =>
    body === false
      ? {
          warnings: [
            risk(
              'ASEC-C013',
              'body',
              'is off',
              'bodies are limited by the body parser alone',
              'Leave it out, and raise its limits where they are too low.',
            ),
          ],
        }
      : undefined,
  providers: [
    provideOptions(RESOLVED_BODY, ({ body }: BodyFeatureOptions) => body || resolveBody({})),
    provideOptions(
      DECLARED_BODY_CHECK,
      ({ body }: BodyFeatureOptions) => body && createDeclaredBodyCheck(body),
    ),
    BodyGuard,
  ],
};

export const BODY_GUARD: GuardEntry<BodyFeatureOptions> = {
  token: BodyGuard,
  isOn: ({ body }) => body !== false,
};
