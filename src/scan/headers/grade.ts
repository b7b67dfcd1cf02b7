/* Scores as letters, by the chart of the HTTP Observatory. */

const CHART: readonly (readonly [atLeast: number, grade: string])[] = [
  [100, 'A+'],
  [90, 'A'],
  [85, 'A-'],
  [80, 'B+'],
  [70, 'B'],
  [65, 'B-'],
  [60, 'C+'],
  [50, 'C'],
  [45, 'C-'],
  [40, 'D+'],
  [30, 'D'],
  [25, 'D-'],
];

export const gradeOf = (score: number): string => CHART.find(([atLeast]) => score >= atLeast)?.[1] ?? 'F';
