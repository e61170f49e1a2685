/** A sentence of the server's: begins with a capital, ends with a full stop, commands in mono. */

/** `there is no run 9` as a sentence; what begins with a path or a command stays as it is. */
export function sentence(text: string): string {
  const trimmed = text.trim();
  if (trimmed === '') return '';
  const begun = /^[a-z]+[ ,:]/.test(trimmed) ? trimmed.charAt(0).toUpperCase() + trimmed.slice(1) : trimmed;
  const ended = begun.replace(/\.\.$/, '.');
  return /[.!?:…)`]$/.test(ended) ? ended : `${ended}.`;
}

export function Words({ text }: { text: string }) {
  return sentence(text)
    .split('`')
    .map((part, index) =>
      index % 2 === 1 ? (
        // biome-ignore lint/suspicious/noArrayIndexKey: a part is its place in the sentence
        <code key={index} className="font-mono text-[.9em]">
          {part}
        </code>
      ) : (
        part
      ),
    );
}
