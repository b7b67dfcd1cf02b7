import type { Tool } from './tool.js';

export const currentTime: Tool = {
  name: 'current-time',
  description: 'The current time in an IANA time zone.',
  example: 'Europe/Zurich',
  run: zone => {
    const now = new Date();
    try {
      const format = new Intl.DateTimeFormat('en-GB', {
        timeZone: zone,
        dateStyle: 'full',
        timeStyle: 'long',
      });
      return { zone, time: format.format(now), utc: now.toISOString() };
    } catch {
      throw new Error(`"${zone}" is not a time zone`);
    }
  },
};
