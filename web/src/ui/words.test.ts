import { describe, expect, it } from 'vitest';
import { sentence } from './Words';

describe('a sentence of the server', () => {
  it('begins with a capital and ends with a full stop', () => {
    expect(sentence('there is no run 9')).toBe('There is no run 9.');
    expect(sentence('Stopped by owner..')).toBe('Stopped by owner.');
    expect(sentence('Check that it runs.')).toBe('Check that it runs.');
  });

  it('leaves paths, commands and endings alone', () => {
    expect(sentence('/tmp is not a git repository')).toBe('/tmp is not a git repository.');
    expect(sentence('run `git init`')).toBe('Run `git init`');
    expect(sentence('')).toBe('');
  });
});
