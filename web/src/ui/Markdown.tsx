/** An agent's words. Finished pieces are memoised by their text. */
import { memo, useMemo } from 'react';
import { htmlOf, piecesOf } from './markdown';

const Piece = memo(function Piece({ text }: { text: string }) {
  const html = useMemo(() => htmlOf(text), [text]);
  // biome-ignore lint/security/noDangerouslySetInnerHtml: htmlOf sanitises
  return <div dangerouslySetInnerHTML={{ __html: html }} />;
});

export function Markdown({ text, streaming = false }: { text: string; streaming?: boolean }) {
  const pieces = piecesOf(text);
  return (
    <div className={`prose ${streaming ? 'caret' : ''}`}>
      {pieces.map((piece, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a piece is its place in the text
        <Piece key={index} text={piece} />
      ))}
    </div>
  );
}
