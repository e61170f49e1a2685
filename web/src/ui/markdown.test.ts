import { describe, expect, it } from 'vitest';
import { piecesOf } from './markdown';

describe('pieces of markdown', () => {
  it('are cut at blank lines', () => {
    expect(piecesOf('one\ntwo\n\nthree')).toEqual(['one\ntwo\n', 'three']);
  });

  it('never cut a fence, even one that is still open', () => {
    expect(piecesOf('```sh\na\n\nb\n```\n\nend')).toEqual(['```sh\na\n\nb\n```\n', 'end']);
    expect(piecesOf('look\n\n```sh\na\n\nb')).toEqual(['look\n', '```sh\na\n\nb']);
  });

  it('keep a list together, with its paragraphs', () => {
    expect(piecesOf('- a\n\n  more\n\n- b\n\nend')).toEqual(['- a\n\n  more\n\n- b\n', 'end']);
  });

  it('before the last stay the same while text grows', () => {
    const text = 'First.\n\n- a\n- b\n\n```\ncode\n\nmore\n```\n\nLast words here.';
    for (let end = 1; end <= text.length; end += 1) {
      const grown = piecesOf(text.slice(0, end));
      const next = piecesOf(text.slice(0, end + 1));
      expect(next.length).toBeGreaterThanOrEqual(grown.length);
      expect(next.slice(0, grown.length - 1)).toEqual(grown.slice(0, -1));
    }
  });
});
