/** One file's change: unified, with both line numbers. Long ones open on demand. */
import { ChevronRight } from 'lucide-react';
import { memo, useState } from 'react';
import type { DiffFile, DiffHunk, DiffLineKind } from '../../../api/types';
import { count } from '../../../ui/format';

const OPEN_UP_TO_LINES = 400;

export const DiffFileView = memo(function DiffFileView({ file }: { file: DiffFile }) {
  const lines = file.hunks.reduce((sum, hunk) => sum + hunk.lines.length, 0);
  const [open, setOpen] = useState(lines <= OPEN_UP_TO_LINES);
  return (
    <section aria-label={file.path} data-diff-file={file.path}>
      <h3 className="sticky top-0 z-10 bg-paper hair">
        <button
          type="button"
          aria-expanded={open}
          onClick={() => setOpen(!open)}
          className="w-full flex items-center gap-2.5 px-4 min-h-10 text-left hover:bg-hover"
        >
          <ChevronRight
            size={13}
            aria-hidden="true"
            className={`text-ink-3 shrink-0 ${open ? 'rotate-90' : ''}`}
          />
          <span className="font-mono text-xs flex-1 min-w-0 truncate">
            {file.old_path && file.old_path !== file.path && (
              <span className="text-ink-3">{file.old_path} → </span>
            )}
            {file.path}
          </span>
          {file.status !== 'modified' && <span className="text-xs text-ink-3">{file.status}</span>}
          {file.added !== null && file.added > 0 && (
            <span className="num text-xs text-ok-ink">+{file.added}</span>
          )}
          {file.removed !== null && file.removed > 0 && (
            <span className="num text-xs text-bad-ink">−{file.removed}</span>
          )}
        </button>
      </h3>
      {open && <Body file={file} />}
    </section>
  );
});

function Body({ file }: { file: DiffFile }) {
  const note = file.binary
    ? 'A binary file: its bytes are not shown.'
    : file.too_large
      ? 'Too large to show here. The patch has all of it.'
      : file.hunks.length === 0
        ? 'Only its name or mode changed.'
        : null;
  if (note) return <p className="px-4 py-3 text-sm text-ink-2">{note}</p>;
  const label = `Changes in ${file.path}, ${count(file.added ?? 0, 'line')} added, ${file.removed ?? 0} removed`;
  return (
    <section
      data-scroll-x
      className="overflow-x-auto pb-3"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keys
      tabIndex={0}
      aria-label={label}
    >
      <table className="border-collapse min-w-full font-mono text-xs leading-[21px]">
        <tbody>
          {file.hunks.map((hunk) => (
            <Hunk key={`${hunk.old_start} ${hunk.new_start}`} hunk={hunk} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Hunk({ hunk }: { hunk: DiffHunk }) {
  let before = hunk.old_start;
  let after = hunk.new_start;
  const lines = hunk.lines.map((line) => ({
    ...line,
    before: line.kind === '+' ? null : before++,
    after: line.kind === '-' ? null : after++,
  }));
  return (
    <>
      <tr className="text-ink-3">
        <td colSpan={3} />
        <td className="whitespace-pre pr-4 py-0.5">{hunk.header}</td>
      </tr>
      {lines.map((line) => (
        <tr key={`${line.before} ${line.after}`} className={LINE[line.kind]}>
          <td className="num text-right text-ink-3 pl-3 pr-2 select-none w-10">{line.before}</td>
          <td className="num text-right text-ink-3 pr-2 select-none w-10">{line.after}</td>
          <td className="w-4 pr-2 select-none">
            <Sign kind={line.kind} />
          </td>
          <td className="whitespace-pre pr-4">{line.text}</td>
        </tr>
      ))}
    </>
  );
}

const LINE: Record<DiffLineKind, string> = { ' ': '', '+': 'bg-ok-tint/70', '-': 'bg-bad-tint/70' };

function Sign({ kind }: { kind: DiffLineKind }) {
  if (kind === ' ') return null;
  const added = kind === '+';
  return (
    <span className={added ? 'text-ok-ink' : 'text-bad-ink'}>
      <span aria-hidden="true">{added ? '+' : '−'}</span>
      <span className="sr-only">{added ? 'added' : 'removed'}</span>
    </span>
  );
}
