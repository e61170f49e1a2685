/** Chooses the project whose runs are listed; the choice lives in the URL. */
import { Menu } from '@base-ui/react/menu';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { Check, ChevronsUpDown } from 'lucide-react';
import { projectsQuery } from '../api/queries';

export function ProjectSwitcher({ onPick }: { onPick?: () => void }) {
  const { data } = useQuery(projectsQuery);
  const { project: slug } = useSearch({ strict: false });
  const navigate = useNavigate();
  const projects = data?.items ?? [];
  const name = projects.find((project) => project.slug === slug)?.name ?? 'All projects';
  const choose = (project: string | undefined) => {
    onPick?.();
    void navigate({ to: '/', search: project ? { project } : {} });
  };
  const entries = [
    { slug: undefined, name: 'All projects', needsYou: 0 },
    ...projects.map((project) => ({
      slug: project.slug,
      name: project.name,
      needsYou: project.runs.needs_you,
    })),
  ];
  return (
    <Menu.Root>
      <Menu.Trigger
        aria-label={`Project: ${name}`}
        className="flex items-center gap-2 h-8 max-md:h-10 px-2 rounded-md border border-line bg-surface text-sm text-left hover:bg-hover"
      >
        <span
          className="size-[18px] rounded-sm bg-ink text-paper text-2xs font-[650] grid place-items-center leading-none"
          aria-hidden="true"
        >
          {name.charAt(0).toLowerCase()}
        </span>
        <span className="flex-1 truncate">{name}</span>
        <ChevronsUpDown size={13} className="text-ink-3" aria-hidden="true" />
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Positioner sideOffset={4} align="start" className="z-50">
          <Menu.Popup className="bg-raised rounded-lg shadow-pop p-1 min-w-[188px] max-w-[320px] max-h-[60dvh] overflow-y-auto outline-none">
            {entries.map((entry) => (
              <Menu.Item
                key={entry.slug ?? ''}
                onClick={() => choose(entry.slug)}
                className="flex items-center gap-2 h-8 max-md:h-10 px-2 rounded-md text-sm cursor-pointer outline-none data-[highlighted]:bg-hover"
              >
                <span className="w-4">{entry.slug === slug && <Check size={13} aria-hidden="true" />}</span>
                <span className="flex-1 truncate">{entry.name}</span>
                {entry.needsYou > 0 && (
                  <span className="num text-xs text-you-ink">
                    {entry.needsYou}
                    <span className="sr-only"> need you</span>
                  </span>
                )}
              </Menu.Item>
            ))}
          </Menu.Popup>
        </Menu.Positioner>
      </Menu.Portal>
    </Menu.Root>
  );
}
