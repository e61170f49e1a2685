/** Tool steps as compact rows: icon, verb, target, what came of it. Each opens to its input and output. */
import {
  ChevronRight,
  FilePenLine,
  FileText,
  FolderSearch,
  type LucideIcon,
  Search,
  SquareTerminal,
  Wrench,
} from 'lucide-react';
import { memo, useState } from 'react';
import type { StepBlock } from '../../../log/blocks';
import { duration } from '../../../ui/format';
import { StepDetail } from './StepDetail';

const ICONS: Record<string, LucideIcon> = {
  read_file: FileText,
  write_file: FilePenLine,
  edit_file: FilePenLine,
  bash: SquareTerminal,
  grep: Search,
  glob: FolderSearch,
};

export function Steps({ steps }: { steps: StepBlock[] }) {
  return (
    <ol className="border-l border-line ml-[6px] my-3">
      {steps.map((step) => (
        <Step key={step.id} step={step} />
      ))}
    </ol>
  );
}

const Step = memo(function Step({ step }: { step: StepBlock }) {
  const [open, setOpen] = useState(false);
  const Icon = ICONS[step.tool] ?? Wrench;
  const bad = step.outcome === 'failed' || step.outcome === 'interrupted' || step.outcome === 'refused';
  const running = step.outcome === 'running';
  const dot = bad ? 'bg-bad' : running ? 'bg-run breathe' : 'bg-line-strong';
  return (
    <li className="relative" data-step={step.outcome}>
      <span
        className={`absolute -left-[3.5px] top-[12px] size-[6px] rounded-full ${dot}`}
        aria-hidden="true"
      />
      <button
        type="button"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
        className="group w-full flex items-center gap-2.5 pl-4 pr-1 min-h-[30px] max-md:min-h-11 text-left rounded-r-md hover:bg-hover"
      >
        <Icon
          size={14}
          strokeWidth={1.75}
          className={`shrink-0 ${bad ? 'text-bad' : 'text-ink-3'}`}
          aria-hidden="true"
        />
        <span className="text-sm text-ink-2 shrink-0">{step.verb}</span>
        <code className="font-mono text-xs text-ink truncate min-w-0 flex-1">{step.target}</code>
        <span
          className={`text-xs num max-w-[46%] truncate ${bad ? 'text-bad-ink' : running ? 'text-run-ink' : 'text-ink-3'}`}
        >
          {outcomeText(step)}
        </span>
        <ChevronRight
          size={13}
          className={`shrink-0 text-ink-3 ${open ? 'rotate-90' : ''}`}
          aria-hidden="true"
        />
      </button>
      {open && <StepDetail step={step} />}
    </li>
  );
});

/** The shortest duration worth telling. */
const WORTH_TELLING_MS = 1_000;

function outcomeText(step: StepBlock): string {
  if (step.outcome === 'running') return 'running';
  const words = {
    done: '',
    failed: 'failed',
    refused: 'refused',
    interrupted: 'interrupted, outcome unknown',
  };
  const summary = step.summary || words[step.outcome];
  const long = step.durationMs !== null && step.durationMs >= WORTH_TELLING_MS;
  return [summary, long ? duration(step.durationMs ?? 0) : ''].filter(Boolean).join(' · ');
}
