/* The observer of the app (src/telemetry). Each feature declares what it reports: `LimitProbe`, `McpProbe`, `ToolProbe`. */

/** The injection token of the probe; it provides `undefined` while telemetry is off, so that an app without it measures nothing. */
export const PROBE = Symbol('agent-security:probe');
