/** Buttons and links that look like buttons. Ink is action; one solid button a view. */
import type { ComponentProps, ReactNode } from 'react';

export type ButtonKind = 'solid' | 'line' | 'ghost';

const KINDS: Record<ButtonKind, string> = {
  solid: 'bg-action text-on-action enabled:hover:bg-action-hover',
  line: 'border border-line-strong/70 bg-surface text-ink enabled:hover:bg-hover',
  ghost: 'text-ink-2 enabled:hover:bg-hover',
};

export function buttonClass(kind: ButtonKind): string {
  return `inline-flex items-center justify-center gap-1.5 h-8 max-md:h-10 px-3 rounded-md text-sm font-[560] whitespace-nowrap disabled:opacity-55 ${KINDS[kind]}`;
}

export function Button({
  kind = 'ghost',
  className = '',
  type = 'button',
  ...rest
}: ComponentProps<'button'> & { kind?: ButtonKind }) {
  return <button {...rest} type={type} className={`${buttonClass(kind)} ${className}`} />;
}

export function Kbd({ children }: { children: ReactNode }) {
  return (
    <kbd className="max-md:hidden font-mono text-2xs border border-current/40 rounded-sm px-1 leading-[15px]">
      {children}
    </kbd>
  );
}
