/* What the dashboard consists of. Loaded only where the option is set. */
export { DashboardActions } from './actions.js';
export { DashboardStage } from './dashboard-stage.js';
export { Figures } from './figures.js';
export { Health } from './health.js';
export { LiveFigures } from './live-figures.js';
