/** A labelled control with its hint; the label is always visible. */
import type { ReactNode } from 'react';

interface Props {
  label: string;
  hint?: ReactNode;
  htmlFor: string;
  children: ReactNode;
  className?: string;
}

export function Field({ label, hint, htmlFor, children, className = '' }: Props) {
  return (
    <div className={className}>
      <label htmlFor={htmlFor} className="block text-sm font-[560] mb-1">
        {label}
      </label>
      {children}
      {hint && (
        <p id={`${htmlFor}-hint`} className="text-xs text-ink-3 mt-1">
          {hint}
        </p>
      )}
    </div>
  );
}

interface CheckProps {
  label: string;
  hint?: string;
  checked: boolean;
  onChange(checked: boolean): void;
}

export function Check({ label, hint, checked, onChange }: CheckProps) {
  return (
    <label className="flex items-start gap-2.5 min-h-6 cursor-pointer">
      <input
        type="checkbox"
        checked={checked}
        onChange={(event) => onChange(event.target.checked)}
        className="mt-[3px] size-4 accent-[var(--action)]"
      />
      <span className="text-sm">
        {label}
        {hint && <span className="block text-xs text-ink-3">{hint}</span>}
      </span>
    </label>
  );
}
