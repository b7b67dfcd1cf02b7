import type { Tool } from './tool.js';

export const textStatistics: Tool = {
  name: 'text-statistics',
  description: 'Counts characters, words and sentences of a text.',
  example: 'Agents retry. Servers remember.',
  run: input => ({
    characters: [...new Intl.Segmenter('en').segment(input)].length,
    words: [...new Intl.Segmenter('en', { granularity: 'word' }).segment(input)].filter(
      ({ isWordLike }) => isWordLike,
    ).length,
    sentences: [...new Intl.Segmenter('en', { granularity: 'sentence' }).segment(input)].length,
  }),
};
