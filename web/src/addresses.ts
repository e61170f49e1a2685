/** The words that addresses may carry. */
export const STATE_FILTERS = ['all', 'you', 'run', 'sleep', 'idle', 'ok', 'bad'] as const;
export type StateFilter = (typeof STATE_FILTERS)[number];

export const TABS = ['log', 'terminal', 'changes', 'files'] as const;
export type Tab = (typeof TABS)[number];

export const CHOICES = ['demo', 'local', 'key'] as const;
export type Choice = (typeof CHOICES)[number];
