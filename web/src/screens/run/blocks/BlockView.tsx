/** One block of the log that is not a step. */
import {
  Brain,
  ChevronRight,
  CircleAlert,
  Flag,
  GitBranch,
  Info,
  MessageSquareText,
  Package,
} from 'lucide-react';
import type { ReactNode } from 'react';
import type { Block, StepBlock } from '../../../log/blocks';
import type { EventData, Reason } from '../../../log/events';
import { clock, count, lineChange } from '../../../ui/format';
import { Markdown } from '../../../ui/Markdown';
import { Words } from '../../../ui/Words';
import { CheckView } from './CheckView';
import { QuestionView } from './QuestionView';
import { StateLine } from './StateLine';
import { TasksView } from './TasksView';

export type Plain = Exclude<Block, StepBlock>;

export function BlockView({ block }: { block: Plain }) {
  switch (block.kind) {
    case 'goal':
      return <Said who={block.by} atMs={block.atMs} text={block.text} first={!block.followUp} />;
    case 'message':
      return <Said who={block.by} atMs={block.atMs} text={block.text} first={false} />;
    case 'prose':
      return (
        <div className="my-3">
          <Markdown text={block.text} />
        </div>
      );
    case 'thinking':
      return <Thought text={block.text} />;
    case 'tasks':
      return <TasksView tasks={block.tasks} first={block.first} />;
    case 'checkpoint':
      return <Checkpoint files={block.files} />;
    case 'check':
      return <CheckView check={block} />;
    case 'notice':
      return (
        <Line icon={<Info size={13} aria-hidden="true" />} tone="text-ink-2">
          <Reasoned reason={block.reason} />
        </Line>
      );
    case 'trouble':
      return (
        <Line icon={<CircleAlert size={13} aria-hidden="true" />} tone="text-bad-ink">
          <Reasoned reason={block.reason} />
          {block.retryAtMs !== null && ` The next try starts at ${clock(block.retryAtMs)}.`}
        </Line>
      );
    case 'compacted':
      return <Summary text={block.summary} />;
    case 'sandbox':
      return (
        <Line icon={<Package size={13} aria-hidden="true" />} tone="text-ink-3">
          {block.again ? 'A new sandbox holds the same files' : `Sandbox ready: ${block.text}`}
          {block.lost.length > 0 && `. Lost with the one before: ${block.lost.join(', ')}`}
        </Line>
      );
    case 'delivery':
      return <DeliveryLine block={block} />;
    case 'state':
      return <StateLine state={block.state} />;
    case 'question':
      return <QuestionView block={block} />;
  }
}

function Reasoned({ reason }: { reason: Reason }) {
  return (
    <>
      <Words text={reason.text} /> {reason.fix && <Words text={reason.fix} />}
    </>
  );
}

export function Line({ icon, tone, children }: { icon: ReactNode; tone: string; children: ReactNode }) {
  return (
    <p className={`flex items-start gap-2 text-xs my-3 ${tone}`}>
      <span className="mt-[1.5px] shrink-0">{icon}</span>
      <span className="wrap-anywhere min-w-0">{children}</span>
    </p>
  );
}

function Said({ who, atMs, text, first }: { who: string; atMs: number; text: string; first: boolean }) {
  return (
    <div className={`bg-sunken rounded-lg px-4 py-3 mb-4 ${first ? '' : 'mt-4'}`}>
      <p className="text-xs text-ink-2 mb-1 flex items-center gap-1.5 num">
        {!first && <MessageSquareText size={12} aria-hidden="true" />}
        {who}, {clock(atMs)}
      </p>
      <p className="text-base whitespace-pre-wrap wrap-anywhere">{text}</p>
    </div>
  );
}

function Folded({ icon, title, text }: { icon: ReactNode; title: string; text: string }) {
  return (
    <details className="group my-3 text-sm text-ink-3">
      <summary className="flex items-center gap-2 min-h-6 list-none w-fit">
        {icon}
        {title}
        <ChevronRight size={13} aria-hidden="true" className="group-open:rotate-90" />
      </summary>
      <p className="mt-1 pl-5 text-ink-2 whitespace-pre-wrap wrap-anywhere">{text}</p>
    </details>
  );
}

function Thought({ text }: { text: string }) {
  return <Folded icon={<Brain size={14} aria-hidden="true" />} title="Thought" text={text} />;
}

function Summary({ text }: { text: string }) {
  return (
    <Folded
      icon={<Info size={14} aria-hidden="true" />}
      title="Older turns were replaced by a summary"
      text={text}
    />
  );
}

function Checkpoint({ files }: { files: { path: string; added: number | null; removed: number | null }[] }) {
  const sum = (of: 'added' | 'removed') => files.reduce((total, file) => total + (file[of] ?? 0), 0);
  return (
    <div className="flex items-center gap-2 text-xs text-ok-ink my-4">
      <Flag size={13} aria-hidden="true" className="shrink-0" />
      <span className="num">
        {count(files.length, 'file')} changed so far, {lineChange(sum('added'), sum('removed'))}
      </span>
      <span className="flex-1 h-px bg-line" />
    </div>
  );
}

function deliveryText(delivery: EventData['delivery.made'], again: boolean): string {
  if (delivery.branch === '') return 'Nothing had changed, so there is no branch.';
  if (again && delivery.applied) return 'Written to the working tree.';
  const commits = `${count(delivery.commits, 'commit')} on ${delivery.branch}`;
  return delivery.applied ? `${commits}, and written to the working tree.` : `${commits}.`;
}

function DeliveryLine({ block }: { block: Extract<Plain, { kind: 'delivery' }> }) {
  const text = deliveryText(block.delivery, block.again);
  return (
    <Line icon={<GitBranch size={13} aria-hidden="true" />} tone="text-ok-ink">
      {text}
    </Line>
  );
}
