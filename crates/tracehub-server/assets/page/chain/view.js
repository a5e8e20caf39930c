// One chain: what is known of it at a glance, and its calls, log, sequence and JSON.

import { html, useEffect, useMemo, useRef, useState } from '../../vendor/preact-htm.js';
import { copy } from '../base/clipboard.js';
import { useDebounced, useMedia, useNow, useTitle } from '../base/hooks.js';
import { useKeys } from '../base/keyboard.js';
import { change, go, listHref } from '../base/router.js';
import { Calls } from './calls.js';
import { Compare } from './compare.js';
import { Detail } from './detail.js';
import { foldingOf } from './folding.js';
import { Head } from './head.js';
import { Log } from './log.js';
import { Minimap } from './minimap.js';
import { spanOf } from './model.js';
import { NotFound } from './not-found.js';
import { Peek } from './peek.js';
import { RawJson } from './raw-json.js';
import { Finder, parse } from './search.js';
import { Sequence } from './sequence.js';
import { TABS, Toolbar } from './toolbar.js';
import { useChain } from './use-chain.js';
import { useZoom } from './use-zoom.js';

const WIDE = '(min-width: 900px)';

export function ChainView({ id, parameters }) {
  const isComparing = parameters.tab === 'compare';
  const tab = TABS.some((each) => each.name === parameters.tab) ? parameters.tab : 'calls';
  const [isFollowing, setFollowing] = useState(true);
  const [isAbsolute, setAbsolute] = useState(false);
  const { chain, fault, missed } = useChain(id, parameters.skew, isFollowing);
  const { answer = null, tree = null, entries = null } = chain ?? {};
  const isWide = useMedia(WIDE);
  const searchField = useRef(null);
  const view = useRef(null);
  useTitle(id);

  // What is selected and searched for is in the address.
  const selected = tree?.places.get(parameters.call) ?? -1;
  const select = (place) => change({ call: place === -1 ? '' : tree.keys[place] }, { replace: true });
  // By its name: while the chain grows, places change.
  const [activeKey, setActiveKey] = useState(null);
  const active = tree?.places.get(activeKey) ?? -1;
  const setActive = (place) => setActiveKey(tree.keys[place]);
  useEffect(() => {
    if (selected !== -1) setActive(selected);
  }, [selected]);
  const [hovered, setHovered] = useState(-1);
  const sought = parameters.find ?? '';
  const find = (text) => change({ find: text }, { replace: true });
  const findSoon = useDebounced(find, 150);
  // In the place of what somebody may be typing.
  const seek = (text) => {
    findSoon.drop();
    if (searchField.current) searchField.current.value = text;
    find(text);
  };

  const finder = useMemo(() => (tree || entries) && new Finder(tree, entries), [tree, entries]);
  const parts = useMemo(() => parse(sought), [sought]);
  const matches = useMemo(() => (parts.length > 0 && tree ? finder.calls(parts) : null), [finder, parts]);
  const [collapsed, setCollapsed] = useState(() => new Set());
  const rows = useMemo(() => tree?.rows(collapsed, matches) ?? [], [tree, collapsed, matches]);
  const folding = foldingOf(tree, collapsed, setCollapsed);

  // Time: all of it, or the part that was zoomed to. An unfinished call of a chain that goes on grows every second.
  const span = answer && spanOf(answer, Date.now());
  useNow(span?.isOpen && isFollowing ? 1000 : 0);
  const zoom = useZoom(tree, span);
  const { scale, limits } = zoom;

  const current = selected !== -1 ? selected : active;
  const step = (by) => {
    if (tab === 'json' || rows.length === 0) return;
    // The tree has the focus, so that a screen reader says which call it is now.
    view.current.querySelector('[role=tree]')?.focus({ preventScroll: true });
    const at = rows.indexOf(active);
    const row = at === -1 ? (by > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + by));
    setActive(rows[row]);
    if (selected !== -1) select(rows[row]);
  };
  const toTab = (name) => change({ tab: name === 'calls' ? '' : name, compare: '' });
  const fold = (is) => {
    if (active === -1 || !tree) return;
    const parent = tree.calls[active].parent;
    if (tree.hasInside(active) && collapsed.has(tree.keys[active]) !== is) folding.toggle(active);
    else if (is && parent !== null) setActive(parent);
    else if (!is && tree.hasInside(active)) step(1);
  };
  const toCompare = () => change({ tab: isComparing ? '' : 'compare', compare: '' });
  const escape = () => {
    if (document.activeElement === searchField.current) {
      if (searchField.current.value !== '') seek('');
      searchField.current.blur();
    } else if (isComparing) toCompare();
    else if (selected !== -1) select(-1);
    else if (zoom.isZoomed) zoom.showAll();
    else if (sought) seek('');
    else go(Object.fromEntries(new URL(listHref(), document.baseURI).searchParams));
  };
  useKeys({
    '/': () => searchField.current?.focus(),
    j: () => step(1),
    k: () => step(-1),
    ArrowDown: (event) => !scrolls(event) && step(1),
    ArrowUp: (event) => !scrolls(event) && step(-1),
    Home: (event) => !scrolls(event) && rows.length > 0 && setActive(rows[0]),
    End: (event) => !scrolls(event) && rows.length > 0 && setActive(rows.at(-1)),
    Enter: () => active !== -1 && select(active),
    Escape: escape,
    h: () => fold(true),
    l: () => fold(false),
    ArrowLeft: (event) => !scrolls(event) && fold(true),
    ArrowRight: (event) => !scrolls(event) && fold(false),
    '[': folding.collapseLevel,
    ']': folding.expandLevel,
    H: folding.collapseAll,
    L: folding.expandAll,
    '+': () => zoom.zoomBy(0.5),
    '=': () => zoom.zoomBy(0.5),
    '-': () => zoom.zoomBy(2),
    '<': () => zoom.move(-scale.length / 4),
    '>': () => zoom.move(scale.length / 4),
    0: zoom.showAll,
    z: () => current !== -1 && zoom.zoomTo(current),
    t: () => setAbsolute((is) => !is),
    f: () => setFollowing((is) => !is),
    c: toCompare,
    y: () => copy(id, 'the id'),
    1: () => toTab('calls'),
    2: () => toTab('log'),
    3: () => toTab('sequence'),
    4: () => toTab('json'),
  });

  const isUnknown = entries !== null && entries.traces.length === 0;
  const shared = { id, answer, tree, entries, scale, limits, isAbsolute, hovered, onHover: setHovered };
  const pane = () => {
    if (fault && !chain) return html`<p class="fault is-block" role="alert">${fault.message}</p>`;
    if (isUnknown) return html`<${NotFound} id=${id} />`;
    if (isComparing) return html`<${Compare} id=${id} other=${parameters.compare} skew=${parameters.skew} />`;
    if (tree === null && entries === null) return html`<div class="loading" role="status">Loading the chain…</div>`;
    if (tab === 'json') return html`<${RawJson} id=${id} entries=${entries} />`;
    const asLog = tab === 'log' || tree === null;
    const hasDetail = selected !== -1;
    const hasCalls = tree !== null && (tab === 'calls' || (asLog && isWide && !hasDetail));
    const log = () => html`
      <${Log} ...${shared} parts=${parts} finder=${finder} active=${active} selected=${selected} onSelect=${select} sticks=${isFollowing} />
    `;
    const calls = () => html`
      <${Calls} ...${shared} rows=${rows} span=${span} collapsed=${collapsed} active=${active} selected=${selected}
        isSearch=${matches !== null} isNarrow=${asLog || (hasDetail && isWide)} sticks=${isFollowing}
        onActive=${setActive} onSelect=${select} onToggle=${folding.toggle} onZoom=${zoom.zoomBy} onMove=${zoom.move} />
    `;
    return html`
      ${tree === null && html`<p class="remark is-block">This chain has too many entries to be analysed as calls. Its log is whole.</p>`}
      ${hasCalls && tree.calls.length > 0 && html`<${Minimap} ...${shared} span=${span} isZoomed=${zoom.isZoomed} onPart=${zoom.showPart} onAll=${zoom.showAll} />`}
      <div class="panes ${asLog ? 'has-log' : ''} ${hasDetail ? 'has-detail' : ''}">
        ${tab === 'sequence' && tree && html`<${Sequence} ...${shared} parts=${parts} finder=${finder} active=${active} selected=${selected} onSelect=${select} />`}
        ${hasCalls && calls()}
        ${asLog && log()}
        ${hasDetail && html`<${Detail} ...${shared} place=${selected} parameters=${parameters} onSelect=${select} onClose=${() => select(-1)} onZoom=${zoom.zoomTo} />`}
      </div>
      ${tree && html`<${Peek} answer=${answer} tree=${tree} entries=${entries} place=${hovered === selected ? -1 : hovered} isAbsolute=${isAbsolute} />`}
    `;
  };
  return html`
    <section ref=${view} class="chain" data-testid="chain-view" data-id=${id} aria-label="Chain">
      <${Head} id=${id} chain=${chain} isUnknown=${isUnknown} isAbsolute=${isAbsolute} parameters=${parameters}
        onSearch=${seek} onSelect=${select} onCompare=${toCompare} isComparing=${isComparing} />
      ${chain && !isUnknown && html`
        <${Toolbar} tab=${isComparing ? '' : tab} hasFolds=${!isComparing && (tab === 'calls' || (tab === 'log' && isWide))} onTab=${toTab} field=${searchField} sought=${sought} onSeek=${findSoon}
          found=${matches && rows.length} total=${tree?.calls.length ?? 0} folding=${folding} isAbsolute=${isAbsolute}
          onAbsolute=${() => setAbsolute((is) => !is)} isFollowing=${isFollowing} missed=${missed}
          onFollow=${() => setFollowing((is) => !is)} />
      `}
      ${fault && chain && html`<p class="fault is-block" role="alert">${fault.message}</p>`}
      ${pane()}
    </section>
  `;
}

/** Whether a key belongs to what has the focus and can be scrolled. */
function scrolls(event) {
  return event.target.closest('.detail, .log, .raw, .sequence, .compare, .picker, pre') !== null;
}
