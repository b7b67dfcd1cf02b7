/* What stands beside the module: packages that do the same work, versions, and silenced findings. */
import type { Faults, Subject, SubjectCheck } from '../check.js';
import type { ForeignPackage } from '../foreign-packages.js';

const registered =
  (...names: readonly ForeignPackage[]) =>
  ({ app }: Subject): Faults =>
    names.filter(one => app.registered.has(one)).map(one => [one, 'is registered in the app']);

export const APP_CHECKS: readonly SubjectCheck[] = [
  {
    /** @see docs/migration.md */
    id: 'ASEC-C040',
    severity: 'warning',
    title: 'helmet is registered beside the module.',
    why: 'responses have the headers of helmet where they differ from those of the module',
    remedy: 'Remove it, and set headers.',
    find: registered('helmet', '@fastify/helmet'),
  },
  {
    /** @see docs/migration.md */
    id: 'ASEC-C041',
    severity: 'warning',
    title: 'Another CORS layer is registered beside the module.',
    why: 'the module removes the headers of the other layer, whose origins have no effect',
    remedy: 'Remove app.enableCors() and the package, and set cors.',
    find: subject => (subject.options.cors === false ? [] : registered('cors', '@fastify/cors')(subject)),
  },
  {
    /** @see docs/migration.md */
    id: 'ASEC-C042',
    severity: 'warning',
    title: 'ThrottlerGuard counts beside the module.',
    why: 'each request is counted twice, against limits that clients see in different headers',
    remedy: 'Remove ThrottlerGuard, and set rateLimit.',
    find: subject => (subject.options.rateLimit === false ? [] : registered('@nestjs/throttler')(subject)),
  },
  {
    /** @see docs/migration.md */
    id: 'ASEC-C043',
    severity: 'warning',
    title: 'Another rate limiter counts beside the module.',
    why: 'each request is counted twice, against limits that clients see in different headers',
    remedy: 'Remove it, and set rateLimit.',
    find: subject =>
      subject.options.rateLimit === false
        ? []
        : registered('express-rate-limit', '@fastify/rate-limit')(subject),
  },
  {
    /** @see docs/dependencies.md */
    id: 'ASEC-C044',
    severity: 'error',
    title: 'A version is outside the supported range.',
    why: 'the protection is not tested with it',
    remedy: 'Install a supported version.',
    find: ({ versions }) =>
      versions
        .filter(({ isSupported }) => !isSupported)
        .map(({ name, version, range }) => [name, `is ${version}, and ${range} is supported`] as const),
  },
];
