/** The run ribbon: one column a turn. Up is thought (tokens), down is action (time). */
import { memo } from 'react';
import type { Column } from '../log/ribbon';

const WIDTH = 4;
const GAP = 2;
/** A column is never drawn wider than this, so that a short run does not look like a bar chart. */
const WIDEST = 14;

interface Props {
  columns: readonly Column[];
  label: string;
  height?: number;
  stretch?: boolean;
}

export const Ribbon = memo(function Ribbon({ columns, label, height = 26, stretch = false }: Props) {
  const width = Math.max(1, columns.length * (WIDTH + GAP) - GAP);
  const up = Math.round(height * 0.58);
  const size = stretch ? { width: '100%', maxWidth: columns.length * WIDEST } : { width };
  return (
    <svg
      role="img"
      aria-label={label}
      height={height}
      style={size}
      viewBox={`0 0 ${width} ${height}`}
      preserveAspectRatio="none"
      className="block"
    >
      <rect x="0" y={up} width={width} height="1" fill="var(--line-strong)" opacity=".45" />
      {columns.map((column, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a column is its place
        <Bar key={index} column={column} x={index * (WIDTH + GAP)} up={up} height={height} />
      ))}
    </svg>
  );
});

function Bar({ column, x, up, height }: { column: Column; x: number; up: number; height: number }) {
  if (column.kind === 'waiting')
    return <rect x={x} y={0} width={WIDTH} height={height} rx="1" fill="var(--you)" />;
  if (column.kind === 'slept')
    return <rect x={x} y={up - 5} width={WIDTH} height={11} rx="1" fill="var(--sleep)" />;
  const down = height - up - 1;
  const thought = Math.max(2, column.up * up);
  const action = column.failed ? down : Math.max(2, column.down * down);
  const colour = column.failed ? 'var(--bad)' : 'var(--run)';
  return (
    <g>
      <rect x={x} y={up - thought} width={WIDTH} height={thought} rx=".5" fill="var(--ink-3)" opacity=".62" />
      <rect x={x} y={up + 1} width={WIDTH} height={action} rx=".5" fill={colour} />
      {column.checkpoint && <rect x={x - 1} y={up - 1} width={WIDTH + 2} height="3" fill="var(--ok)" />}
    </g>
  );
}
