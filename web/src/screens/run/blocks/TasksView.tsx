/** The agent's own task list: all of it at first, then what changed. */

import type { TaskLine } from '../../../log/events';
import { Glyph, type Tone } from '../../../ui/Glyph';

const TONES: Record<TaskLine['state'], Tone> = { open: 'idle', active: 'run', done: 'ok' };
const WORDS: Record<TaskLine['state'], string> = { open: 'to do', active: 'under way', done: 'done' };

export function TasksView({ tasks, first }: { tasks: TaskLine[]; first: boolean }) {
  return (
    <ul
      aria-label={first ? 'Task list' : 'Changed tasks'}
      className={`my-3 flex gap-y-1 ${first ? 'flex-col' : 'flex-wrap gap-x-5'}`}
    >
      {tasks.map((task) => (
        <li key={task.title} className="flex items-center gap-2.5 text-sm">
          <Glyph tone={TONES[task.state]} size={9} />
          <span
            className={task.state === 'done' ? 'text-ink-3' : task.state === 'active' ? '' : 'text-ink-2'}
          >
            {task.title}
          </span>
          <span className="sr-only">, {WORDS[task.state]}</span>
        </li>
      ))}
    </ul>
  );
}
