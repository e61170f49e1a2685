/** Rules of a project: which tool calls run, ask first, or do not run. */
import { useMutation, useQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { request } from '../../api/client';
import { projectsQuery, queryClient, rulesQuery } from '../../api/queries';
import type { Rule } from '../../api/types';
import { Button } from '../../ui/Button';
import { Field } from '../../ui/Field';
import { ErrorPanel, Loading } from '../../ui/states';

const EFFECTS: Record<Rule['effect'], string> = {
  ask: 'asks first',
  deny: 'does not run',
  allow: 'runs',
};

export function Rules() {
  const projects = useQuery(projectsQuery);
  const [chosen, setChosen] = useState<string | null>(null);
  const items = projects.data?.items ?? [];
  const project = items.find((item) => item.id === chosen) ?? items[0];
  if (projects.isPending) return <Loading label="Loading the projects" rows={1} />;
  if (projects.error) return <ErrorPanel error={projects.error} title="The projects could not be read." />;
  if (!project) return <p className="text-sm text-ink-2">No project yet: the first run makes one.</p>;
  return (
    <div className="flex flex-col gap-4">
      <Field label="Project" htmlFor="rules-project">
        <select
          id="rules-project"
          className="field"
          value={project.id}
          onChange={(event) => setChosen(event.target.value)}
        >
          {items.map((item) => (
            <option key={item.id} value={item.id}>
              {item.name}
            </option>
          ))}
        </select>
      </Field>
      <List project={project.id} />
      <Make project={project.id} />
    </div>
  );
}

const refresh = (project: string) =>
  queryClient.invalidateQueries({ queryKey: rulesQuery(project).queryKey });

function List({ project }: { project: string }) {
  const rules = useQuery(rulesQuery(project));
  if (rules.isPending) return <Loading label="Loading the rules" rows={1} />;
  if (rules.error) return <ErrorPanel error={rules.error} title="The rules could not be read." />;
  if (rules.data.items.length === 0) return <p className="text-sm text-ink-2">No rule: every call runs.</p>;
  return (
    <ul aria-label="Rules">
      {rules.data.items.map((rule) => (
        <Row key={rule.id} project={project} rule={rule} />
      ))}
    </ul>
  );
}

function Row({ project, rule }: { project: string; rule: Rule }) {
  const remove = useMutation({
    mutationFn: () => request('DELETE', `/v1/projects/${project}/rules/${rule.id}`),
    onSuccess: () => refresh(project),
  });
  const grant = rule.tool === 'grant';
  return (
    <li className="hair flex flex-wrap items-center gap-x-3 min-h-11">
      <span className="text-sm flex-1 min-w-0 wrap-anywhere">
        {grant ? (
          'One call that was allowed for the whole project'
        ) : (
          <code className="font-mono text-xs">{`${rule.tool}  ${rule.target}`}</code>
        )}
      </span>
      <span className="text-xs text-ink-2">
        {EFFECTS[rule.effect]} · by {rule.by}
      </span>
      <Button disabled={remove.isPending} onClick={() => remove.mutate()}>
        Remove
      </Button>
      {remove.error && <ErrorPanel compact error={remove.error} title="The rule was not removed." />}
    </li>
  );
}

function Make({ project }: { project: string }) {
  const [tool, setTool] = useState('bash');
  const [target, setTarget] = useState('');
  const [effect, setEffect] = useState<Rule['effect']>('ask');
  const make = useMutation({
    mutationFn: () =>
      request<Rule>('POST', `/v1/projects/${project}/rules`, {
        body: { tool: tool.trim(), target: target === '' ? '*' : target, effect },
      }),
    onSuccess: () => {
      setTarget('');
      void refresh(project);
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (tool.trim() !== '') make.mutate();
  };
  return (
    <form onSubmit={submit} className="flex flex-wrap items-end gap-2">
      <Field label="Tool" htmlFor="rule-tool">
        <input
          id="rule-tool"
          className="field w-32"
          value={tool}
          onChange={(event) => setTool(event.target.value)}
        />
      </Field>
      <div className="flex-1 min-w-[180px]">
        <Field label="Command or path, * for any text" htmlFor="rule-target">
          <input
            id="rule-target"
            className="field font-mono"
            placeholder="git push*"
            value={target}
            onChange={(event) => setTarget(event.target.value)}
          />
        </Field>
      </div>
      <Field label="What happens" htmlFor="rule-effect">
        <select
          id="rule-effect"
          className="field"
          value={effect}
          onChange={(event) => setEffect(event.target.value as Rule['effect'])}
        >
          <option value="ask">It asks first</option>
          <option value="deny">It does not run</option>
          <option value="allow">It runs</option>
        </select>
      </Field>
      <Button kind="line" type="submit" disabled={tool.trim() === '' || make.isPending}>
        Add the rule
      </Button>
      {make.error && <ErrorPanel compact error={make.error} title="The rule was not made." />}
    </form>
  );
}
