import { describe, expect, it } from 'vitest';
import { bytes, duration, lineChange, money, tokens } from './format';

describe('numbers as people read them', () => {
  it('money', () => {
    const texts = [0, 700, 9_999, 10_000, 1_840_000, null].map(money);
    expect(texts).toEqual(['$0.00', '$0.0007', '$0.0100', '$0.01', '$1.84', 'price not known']);
  });

  it('durations', () => {
    expect([40, 6_400, 18_000, 1_080_000, 7_500_000].map(duration)).toEqual([
      '40 ms',
      '6.4 s',
      '18 s',
      '18 min',
      '2 h 5 min',
    ]);
  });

  it('tokens, sizes and lines', () => {
    expect([850, 61_200, 1_200_000].map(tokens)).toEqual(['850', '61k', '1.2M']);
    expect([850, 12_000, 3_400_000].map(bytes)).toEqual(['850 B', '12 kB', '3.4 MB']);
    expect([lineChange(9, 2), lineChange(31, 0), lineChange(null, null), lineChange(0, 0)]).toEqual([
      '+9 −2',
      '+31',
      'binary',
      '±0',
    ]);
  });
});
