// The list of chains: the most recently active first, and alive.

import { html, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from '../../vendor/preact-htm.js';
import { get, isFinal, Refusal } from '../base/api.js';
import { bytes, count } from '../base/format.js';
import { useNow, useTitle } from '../base/hooks.js';
import { Icon } from '../base/icons.js';
import { useKeys } from '../base/keyboard.js';
import { paced } from '../base/paced.js';
import { change, follow, go, href } from '../base/router.js';
import { useStore } from '../base/store.js';
import { listen } from '../base/stream.js';
import { Fault, Nothing, NothingLike } from './empty.js';
import { Filters, setFilters } from './filters.js';
import { filtersOf, load } from './list.js';
import { Counter, Rate } from './rate.js';
import { Row } from './row.js';
import { lookInto, oldestCalls } from './unfinished.js';

/** The shortest time between two looks at the list, however much comes in. */
const PAUSE_MS = 700;
/** Rows do not move under a pointer that has moved so lately. */
const STILL_MS = 600;
const STATS_MS = 10_000;

export function ChainsView({ parameters }) {
  const filters = useMemo(() => filtersOf(parameters), [JSON.stringify(filtersOf(parameters))]);
  const cursor = parameters.cursor ?? '';
  const prefix = filters.q ?? '';
  const counter = useMemo(() => new Counter(), [prefix]);
  const [page, setPage] = useState(null);
  const [fault, setFault] = useState(null);
  const [isPaused, setPaused] = useState(false);
  const prefixField = useRef(null);
  const list = useRef(null);
  const newest = useRef({});
  newest.current = { filters, cursor, isPaused };
  const touched = useRef(-Infinity);
  const shown = useRef(null);
  // Paused, with what was asked for on the page: what comes in changes nothing, even if a look at it was due already.
  const standsStill = ({ filters: now, cursor: here }) =>
    newest.current.isPaused && shown.current?.filters === now && shown.current?.cursor === here;
  useTitle('');

  const refresh = useMemo(
    () =>
      paced(async () => {
        const asked = newest.current;
        if (standsStill(asked)) return;
        try {
          const next = await load(asked.filters, asked.cursor);
          await untilStill(touched);
          // Asked for something else, or stopped, in the meantime.
          const { filters: now, cursor: here } = newest.current;
          if (now !== asked.filters || here !== asked.cursor || standsStill(asked)) return;
          shown.current = asked;
          setPage((before) => ({ ...next, filters: asked.filters, cursor: asked.cursor, fresh: freshIn(before, next, asked) }));
          setFault(null);
        } catch (error) {
          if (error instanceof Refusal) setFault(error);
          // What will not be otherwise the next time is not asked again by itself.
          if (!isFinal(error)) throw error;
        }
      }, PAUSE_MS),
    [],
  );
  useEffect(() => refresh.end, [refresh]);
  useEffect(() => refresh.now(), [filters, cursor]);

  // What comes in is counted at once, and looked at when there is time. Older pages stand still.
  useEffect(() => {
    const look = () => newest.current.isPaused || newest.current.cursor || refresh();
    return listen({
      prefix,
      onOpen: look,
      onEntry: () => {
        counter.add();
        look();
      },
    });
  }, [prefix]);
  useEffect(() => {
    if (!isPaused) refresh.now();
  }, [isPaused]);

  const now = useNow(isPaused ? 0 : 1000);
  const stats = useStats();
  const oldest = useStore(oldestCalls);
  useEffect(() => {
    // What still grows is not stuck.
    if (page) lookInto(page.chains.filter((chain) => !page.fresh.has(chain.correlation_id)));
  }, [page]);

  const next = page?.next ?? null;
  const toNext = useCallback(() => next !== null && change({ cursor: next }), [next]);
  useRowKeys(list, page);
  useKeys({
    '/': () => {
      prefixField.current.focus();
      prefixField.current.select();
    },
    Escape: () => document.activeElement?.blur(),
    f: () => setPaused((is) => !is),
    i: () => setFilters({ status: filters.status === 'incomplete' ? '' : 'incomplete' }),
    n: toNext,
  });

  const chains = page?.chains ?? [];
  const longest = Math.max(1, ...chains.map((chain) => chain.duration_ms));
  const isFiltered = Object.keys(filters).length > 0;
  return html`
    <section class="chains" data-testid="chains-view" aria-label="Chains">
      <${Filters} parameters=${parameters} prefixField=${prefixField} />
      <div class="list-line">
        <button type="button" class="toggle" aria-pressed=${isPaused} title="Pause, or go on (f)" data-testid="pause"
          onClick=${() => setPaused((is) => !is)}>
          <${Icon} name=${isPaused ? 'play' : 'pause'} /> ${isPaused ? 'Paused' : 'Pause'}
        </button>
        <${Rate} counter=${counter} isFiltered=${prefix !== ''} />
        ${stats && html`<span class="stats quiet">${count(stats.stored.entries)} entries stored, ${bytes(stats.stored.database_bytes + stats.stored.wal_bytes)}</span>`}
      </div>
      ${fault && html`<${Fault} fault=${fault} isFiltered=${isFiltered || cursor} />`}
      ${page === null
        ? !fault && html`<${Loading} />`
        : chains.length === 0
          ? isFiltered || cursor
            ? html`<${NothingLike} next=${next} onMore=${toNext} />`
            : html`<${Nothing} />`
          : html`
              <div class="chain-head" aria-hidden="true">
                <span>Status</span><span>Correlation id</span><span>Sources</span><span class="number">Entries</span>
                <span class="number">Duration</span><span class="number">Active</span>
              </div>
              <ol class="chain-list" ref=${list} onPointerMove=${() => (touched.current = performance.now())}>
                ${chains.map(
                  (chain) => html`
                    <${Row} key=${chain.correlation_id} chain=${chain} now=${now} longest=${longest}
                      open=${oldest.get(chain.correlation_id)} isFresh=${page.fresh.has(chain.correlation_id)} />
                  `,
                )}
              </ol>
            `}
      ${page !== null && (cursor || next !== null) && html`
        <nav class="paging" aria-label="Pages">
          ${cursor && html`<a class="button" href=${href({ ...filters })} onClick=${follow} data-testid="first-page">Newest</a>`}
          ${cursor && html`<span class="quiet">An older page stands still.</span>`}
          <span class="header-rest"></span>
          ${next !== null && html`
            <a class="button" href=${href({ ...filters, cursor: next })} onClick=${follow} data-testid="next-page">
              Older <${Icon} name="next" />
            </a>`}
        </nav>`}
    </section>
  `;
}

/** j, k and Enter walk over rows by the browser's own focus, which so survives that rows move. */
function useRowKeys(list, page) {
  const focused = useRef(null);
  const rows = () => [...(list.current?.querySelectorAll('[data-testid=chain-row]') ?? [])];
  const step = (by) => {
    const all = rows();
    const at = all.findIndex((row) => row.dataset.id === focused.current);
    const row = all[at === -1 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + by))];
    if (!row) return;
    focused.current = row.dataset.id;
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: 'nearest' });
  };
  useLayoutEffect(() => {
    if (focused.current === null || document.activeElement !== document.body) return;
    rows().find((row) => row.dataset.id === focused.current)?.focus({ preventScroll: true });
  }, [page]);
  useKeys({
    j: () => step(1),
    k: () => step(-1),
    ArrowDown: () => step(1),
    ArrowUp: () => step(-1),
    Enter: () => {
      if (focused.current === null) return false;
      go({ chain: focused.current });
    },
  });
}

/** Which chains have grown since the list was last drawn. */
function freshIn(before, next, asked) {
  if (!before || before.filters !== asked.filters || before.cursor !== asked.cursor) return new Set();
  const counts = new Map(before.chains.map((chain) => [chain.correlation_id, chain.trace_count]));
  const grown = next.chains.filter((chain) => counts.get(chain.correlation_id) !== chain.trace_count);
  return new Set(grown.map((chain) => chain.correlation_id));
}

/** Waits while a pointer moves over the rows: what is aimed at must not jump away. Not for ever. */
async function untilStill(touched) {
  for (let times = 0; times < 4 && performance.now() - touched.current < STILL_MS; times += 1) {
    await new Promise((resolve) => setTimeout(resolve, STILL_MS / 2));
  }
}

function useStats() {
  const [stats, setStats] = useState(null);
  useEffect(() => {
    const ask = () => get('stats').then(setStats, () => {});
    ask();
    const timer = setInterval(ask, STATS_MS);
    return () => clearInterval(timer);
  }, []);
  return stats;
}

function Loading() {
  return html`<div class="loading" role="status">Loading chains…</div>`;
}
