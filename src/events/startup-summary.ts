/* The summary of the configuration, logged once when the app has started: what is enforced, and which settings are risky. */
import type { FeatureSummary } from '../common/feature.js';
import { type Log, logBlock, logLine } from '../common/log-text.js';
import { describeRisk } from '../common/risk.js';

export class StartupSummary {
  constructor(
    private readonly summarize: () => readonly FeatureSummary[],
    private readonly log: Log,
    private readonly isOn: boolean,
  ) {}

  /** Later than the modules' own start, so that the routes of all are known. */
  onApplicationBootstrap(): void {
    if (!this.isOn) return;
    const summaries = this.summarize();
    const lines = summaries.flatMap(({ text }) => text ?? []);
    if (lines.length > 0) this.log.log(logBlock('Security:', lines));
    for (const { warnings = [] } of summaries)
      for (const risk of warnings) this.log.warn(logLine`${describeRisk(risk)} ${risk.remedy} [${risk.id}]`);
  }
}
