// Who took part in a chain: its sources, as a legend that stays short however many there are, and all of them with the hosts.

import { html, useEffect, useRef, useState } from '../../vendor/preact-htm.js';
import { hueClass } from '../base/colours.js';
import { count, counted, duration, name } from '../base/format.js';
import { useMedia } from '../base/hooks.js';
import { IconButton } from '../base/icons.js';
import { useKeys } from '../base/keyboard.js';
import { searchFor } from './search.js';

/** Sources that the legend names: as many as have a place beside what else is said. */
const MOST_NAMED = 6;
const MOST_NAMED_SMALL = 2;
/** Lines of each list. A chain may have as many sources as entries. */
const MOST_LISTED = 300;

/** The hosts as a fact, the sources as a legend; a click on either opens all of both. */
export function Who({ answer, hosts, onSearch }) {
  const [isOpen, setOpen] = useState(false);
  const isSmall = useMedia('(max-width: 700px)');
  const { sources } = answer;
  const most = isSmall ? MOST_NAMED_SMALL : MOST_NAMED;
  // Those that took the most time, in the order that all of them have.
  const least = [...sources].sort((a, b) => b.self_ms - a.self_ms)[most - 1]?.self_ms ?? 0;
  const named = sources.length <= most + 1 ? sources : sources.filter((source) => source.self_ms >= least).slice(0, most);
  const more = sources.length - named.length;
  const toggle = () => setOpen((is) => !is);
  return html`
    ${hosts.length > 0 && html`
      <button type="button" class="chip" onClick=${toggle} aria-expanded=${isOpen} title="All sources and hosts" data-testid="who">
        ${counted(hosts.length, 'host')}
      </button>`}
    <span class="legend">
      ${named.map((source) => html`<${Source} key=${source.source_id} source=${source} onSearch=${onSearch} />`)}
      ${more > 0 && html`<button type="button" class="source is-button quiet" onClick=${toggle} data-testid="more-sources">+${count(more)} sources</button>`}
    </span>
    ${isOpen && html`<${All} sources=${sources} hosts=${hosts} onSearch=${onSearch} onClose=${() => setOpen(false)} />`}
  `;
}

function Source({ source, onSearch }) {
  const { source_id: id, calls, self_ms: self } = source;
  return html`
    <button type="button" class="source is-button ${hueClass(id)}" onClick=${() => onSearch(searchFor('source', id))}
      title=${`${name(id)}: ${counted(calls, 'call')}, ${duration(self)} in them alone; show them alone`}>
      <i></i><span class="source-name">${name(id)}</span><span class="quiet">${duration(self)}</span>
    </button>
  `;
}

function All({ sources, hosts, onSearch, onClose }) {
  const panel = useRef(null);
  useKeys({ Escape: onClose });
  useEffect(() => {
    panel.current.focus();
    const beside = (event) => !panel.current.contains(event.target) && !event.target.closest('.facts') && onClose();
    document.addEventListener('pointerdown', beside);
    return () => document.removeEventListener('pointerdown', beside);
  }, []);
  const search = (field, value) => {
    onClose();
    onSearch(searchFor(field, value));
  };
  const longest = Math.max(1e-9, ...sources.slice(0, MOST_LISTED).map((source) => source.self_ms));
  return html`
    <div ref=${panel} class="who" role="dialog" aria-label="Sources and hosts" tabindex="-1" data-testid="who-panel">
      <${List} title="Sources" count=${sources.length} onClose=${onClose}>
        ${sources.slice(0, MOST_LISTED).map(({ source_id: id, calls, self_ms: self }) => html`
          <${Line} key=${id} hue=${hueClass(id)} text=${name(id)} onClick=${() => search('source', id)}>
            <span class="quiet">${counted(calls, 'call')}</span>
            <span class="who-bar"><i style=${{ width: `${(100 * self) / longest}%` }}></i></span>
            <span class="number" title="Time that no call inside its calls took">${duration(self)}</span>
          <//>`)}
      <//>
      <${List} title="Hosts" count=${hosts.length}>
        ${hosts.slice(0, MOST_LISTED).map(({ host, entries, offset }) => html`
          <${Line} key=${host} text=${name(host)} onClick=${() => search('host', host)}>
            ${offset !== 0 && html`<span class="tag is-skewed" title="What was added to its times">clock ${offset > 0 ? '+' : ''}${duration(offset)}</span>`}
            <span class="quiet">${counted(entries, 'entry', 'entries')}</span>
          <//>`)}
      <//>
    </div>
  `;
}

function List({ title, count: total, onClose, children }) {
  return html`
    <section>
      <h2>
        ${title}<span class="quiet">${count(total)}</span>
        ${onClose && html`<${IconButton} icon="close" label="Close" hint="Close (Esc)" onClick=${onClose} />`}
      </h2>
      <ul>${children}</ul>
      ${total > MOST_LISTED && html`<p class="quiet">and ${count(total - MOST_LISTED)} more</p>`}
    </section>
  `;
}

function Line({ hue = '', text, onClick, children }) {
  return html`
    <li>
      <button type="button" class="who-line ${hue}" onClick=${onClick} title=${`${text}; show its calls alone`}>
        ${hue && html`<span class="source"><i></i></span>`}<span class="who-name">${text}</span>${children}
      </button>
    </li>
  `;
}
