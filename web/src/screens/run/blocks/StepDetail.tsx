/** What a tool was given and what it gave back. */
import type { StepBlock } from '../../../log/blocks';
import { withoutEscapes } from '../../../log/commands';
import { bytes } from '../../../ui/format';

/** More than this is read better as a file. */
const SHOWN_CHARACTERS = 20_000;

function inputText(step: StepBlock): string {
  const input = step.input;
  if (typeof input === 'string') return input;
  if (input === null || typeof input !== 'object') return '';
  return Object.entries(input)
    .map(([name, value]) => {
      const text = typeof value === 'string' ? value : JSON.stringify(value);
      return text.includes('\n') ? `${name}:\n${text}` : `${name}: ${text}`;
    })
    .join('\n');
}

export function StepDetail({ step }: { step: StepBlock }) {
  const output = withoutEscapes(step.output);
  return (
    <div className="ml-4 mb-2 flex flex-col gap-2">
      <Part name="Input" text={inputText(step)} />
      {step.outcome !== 'running' && <Part name="Output" text={output} />}
      {step.artifact && (
        <p className="text-xs">
          <a className="link" href={`/v1/artifacts/${step.artifact.id}`} download={step.artifact.name}>
            Whole output, {bytes(step.artifact.size_bytes)}
          </a>
        </p>
      )}
    </div>
  );
}

function Part({ name, text }: { name: string; text: string }) {
  if (text === '') return null;
  const cut = text.length > SHOWN_CHARACTERS;
  return (
    <div>
      <p className="text-2xs text-ink-3">
        {name}
        {cut &&
          `, the last ${SHOWN_CHARACTERS.toLocaleString()} of ${text.length.toLocaleString()} characters`}
      </p>
      <pre
        data-scroll-x
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keys
        tabIndex={0}
        className="font-mono text-xs leading-[19px] bg-sunken rounded-md px-3 py-2 max-h-[320px] overflow-auto"
      >
        {cut ? text.slice(-SHOWN_CHARACTERS) : text}
      </pre>
    </div>
  );
}
