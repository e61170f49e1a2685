/** Markdown as safe HTML, in pieces: while text streams only its last piece is parsed again. */
import DOMPurify from 'dompurify';
import { Marked, type Tokens } from 'marked';

const marked = new Marked({ gfm: true, breaks: false, async: false });

const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

marked.use({
  renderer: {
    /** The page owns h1 and h2. */
    heading({ tokens, depth }: Tokens.Heading): string {
      const level = Math.min(6, depth + 2);
      return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>`;
    },
    code({ text }: Tokens.Code): string {
      return `<pre data-scroll-x tabindex="0"><code>${escapeHtml(text)}</code></pre>`;
    },
    /** HTML in an agent's text is text. */
    html({ text }: Tokens.HTML | Tokens.Tag): string {
      return escapeHtml(text);
    },
    /** No picture is fetched from anywhere: its words stay. */
    image({ text, href }: Tokens.Image): string {
      return escapeHtml(text || href);
    },
  },
});

const TAGS = [
  ...['p', 'br', 'hr', 'strong', 'em', 'del', 'code', 'pre', 'blockquote', 'ul', 'ol', 'li', 'a'],
  ...['h3', 'h4', 'h5', 'h6', 'table', 'thead', 'tbody', 'tr', 'th', 'td'],
];
const ATTRIBUTES = ['href', 'start', 'align', 'tabindex', 'data-scroll-x'];

/** The HTML of one piece of markdown. */
export function htmlOf(markdown: string): string {
  const fragment = DOMPurify.sanitize(marked.parse(markdown) as string, {
    ALLOWED_TAGS: TAGS,
    ALLOWED_ATTR: ATTRIBUTES,
    ALLOW_DATA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
  });
  const holder = document.createElement('div');
  holder.append(fragment);
  for (const link of holder.querySelectorAll('a')) {
    link.setAttribute('target', '_blank');
    link.setAttribute('rel', 'noreferrer noopener');
  }
  for (const table of holder.querySelectorAll('table')) {
    const box = document.createElement('div');
    box.className = 'table';
    box.tabIndex = 0;
    box.setAttribute('data-scroll-x', '');
    table.replaceWith(box);
    box.append(table);
  }
  return holder.innerHTML;
}

const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const ITEM = /^ {0,3}(?:[-*+]|\d+[.)])(?: |$)/;
/** What goes on with a list after a blank line, an item's mark that is still being written too. */
const CONTINUES = /^(?: {2,}|\t|[-*+](?: |$)|\d+(?:[.)] |[.)]?$))/;

/** Cuts text at blank lines that end a block: never inside a fence or a list. */
export function piecesOf(markdown: string): string[] {
  const pieces: string[] = [];
  let lines: string[] = [];
  let fence: string | null = null;
  let blank = false;
  for (const line of markdown.split('\n')) {
    const mark = FENCE.exec(line)?.[1] ?? null;
    const goesOn = ITEM.test(lines[0] ?? '') && CONTINUES.test(line);
    if (blank && fence === null && lines.length > 0 && !goesOn && line.trim() !== '') {
      pieces.push(lines.join('\n'));
      lines = [];
    }
    if (mark && fence === null) fence = mark;
    else if (mark && fence !== null && mark.startsWith(fence)) fence = null;
    lines.push(line);
    blank = line.trim() === '';
  }
  const rest = lines.join('\n');
  if (rest.trim() !== '') pieces.push(rest);
  return pieces;
}
