import { type Feature, type GuardEntry, provideOptions } from '../common/feature.js';
import { BodyGuard, RESOLVED_BODY } from './body.guard.js';
import { createDeclaredBodyCheck, DECLARED_BODY_CHECK } from './declared-body-check.js';
import { type ResolvedBody, resolveBody } from './body.options.js';

export interface BodyFeatureOptions {
  readonly body: ResolvedBody | false;
}

export const BODY: Feature<'body', ResolvedBody | false> = {
  key: 'body',
  resolve: resolveBody,
  providers: [
    provideOptions(RESOLVED_BODY, ({ body }: BodyFeatureOptions) => body || resolveBody({})),
    provideOptions(DECLARED_BODY_CHECK, ({ body }: BodyFeatureOptions) =>
      body === false ? undefined : createDeclaredBodyCheck(body),
    ),
    BodyGuard,
  ],
};

export const BODY_GUARD: GuardEntry<BodyFeatureOptions> = {
  token: BodyGuard,
  isOn: ({ body }) => body !== false,
};
