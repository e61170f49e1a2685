// Lists the operations of /v1/openapi.json. Text only goes in as text, never as markup.
const METHODS = ['get', 'post', 'put', 'delete'];

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function nameOf(reference) {
  return reference.split('/').pop();
}

// A type in a few words, objects with their fields, each named schema opened once on its way down.
function shape(spec, schema, indent = '', open = []) {
  if (!schema) return 'nothing';
  if (schema.$ref) {
    const name = nameOf(schema.$ref);
    if (open.includes(name)) return name;
    return shape(spec, spec.components.schemas[name], indent, [...open, name]);
  }
  const several = schema.oneOf ?? schema.anyOf;
  if (several) return several.map((one) => shape(spec, one, indent, open)).join(' | ');
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  if (schema.properties) {
    const deeper = `${indent}  `;
    const lines = Object.entries(schema.properties).map(([name, property]) => {
      const mark = schema.required?.includes(name) ? '' : '?';
      const about = property.description ? `  // ${property.description.replaceAll('\n', ' ')}` : '';
      return `${deeper}${name}${mark}: ${shape(spec, property, deeper, open)}${about}`;
    });
    return `{\n${lines.join('\n')}\n${indent}}`;
  }
  if (schema.items) return `${shape(spec, schema.items, indent, open)}[]`;
  return [schema.type ?? 'anything'].flat().join(' | ');
}

function bodies(spec, title, content) {
  return Object.entries(content ?? {}).flatMap(([type, { schema }]) => [
    element('p', {}, `${title} `, element('code', {}, type)),
    element('pre', {}, shape(spec, schema)),
  ]);
}

function operation(spec, path, method, told) {
  const rows = (told.parameters ?? []).map((parameter) =>
    element(
      'tr',
      {},
      element('td', {}, element('code', {}, parameter.name)),
      element('td', {}, parameter.in),
      element('td', {}, parameter.description ?? ''),
    ),
  );
  const answers = Object.entries(told.responses ?? {}).flatMap(([status, answer]) =>
    answer.content
      ? bodies(spec, status === 'default' ? 'Otherwise' : `Answer ${status}`, answer.content)
      : [element('p', {}, `Answer ${status}: ${answer.description ?? ''}`)],
  );
  const summary = element(
    'summary',
    {},
    element('b', {}, method.toUpperCase()),
    `${path}  `,
    element('span', {}, told.summary ?? ''),
  );
  const about = told.description ? [element('p', {}, told.description)] : [];
  const table = rows.length > 0 ? [element('table', {}, ...rows)] : [];
  const request = bodies(spec, 'Body', told.requestBody?.content);
  return element('details', {}, summary, ...about, ...table, ...request, ...answers);
}

function show(spec) {
  const main = document.getElementById('operations');
  const contents = document.getElementById('contents');
  document.getElementById('about').prepend(`${spec.info.description} `);
  const sections = new Map();
  for (const [path, item] of Object.entries(spec.paths)) {
    for (const method of METHODS.filter((name) => item[name])) {
      const tag = item[method].tags?.[0] ?? 'other';
      if (!sections.has(tag)) sections.set(tag, element('section', { id: tag }, element('h2', {}, tag)));
      sections.get(tag).append(operation(spec, path, method, item[method]));
    }
  }
  for (const [tag, section] of sections) {
    contents.append(element('a', { href: `#${tag}` }, tag));
    main.append(section);
  }
  document.getElementById('filter').addEventListener('input', (event) => {
    const wanted = event.target.value.toLowerCase();
    for (const entry of main.querySelectorAll('details')) {
      entry.hidden = !entry.querySelector('summary').textContent.toLowerCase().includes(wanted);
    }
  });
}

const answer = await fetch('/v1/openapi.json');
show(await answer.json());
