// A chain that is kept up to date while it is shown.

import { useEffect, useMemo, useRef, useState } from '../../vendor/preact-htm.js';
import { isFinal, Refusal } from '../base/api.js';
import { tellApart } from '../base/colours.js';
import { paced } from '../base/paced.js';
import { listen } from '../base/stream.js';
import { loadChain } from './load.js';
import { Entries, Tree } from './model.js';

/** The shortest time between two looks at the chain, however fast it grows. */
const PAUSE_MS = 400;

/**
 * `{chain, fault, missed}`: the chain as `{answer, tree, entries}` (each null until it is known), the last failure, and
 * how many entries came while it was not followed.
 */
export function useChain(id, skew, isFollowing) {
  const [chain, setChain] = useState(null);
  const [fault, setFault] = useState(null);
  const [missed, setMissed] = useState(0);
  const newest = useRef({});
  newest.current = { skew, isFollowing };
  // How clocks were corrected in what is shown; `null` before anything is. Not followed, that changes by hand alone.
  const shown = useRef(null);

  const refresh = useMemo(
    () =>
      paced(async () => {
        const { skew: asked } = newest.current;
        const standsStill = () => !newest.current.isFollowing && shown.current === asked;
        if (standsStill()) return;
        // At first the calls are drawn before the entries are there; later both change together.
        const onCalls = (answer) => {
          tellApart(answer.sources.map((source) => source.source_id));
          setChain((before) => before ?? { answer, tree: new Tree(answer.calls), entries: null });
        };
        try {
          const { calls, traces, text } = await loadChain(id, asked, { onCalls });
          if (standsStill()) return;
          const tree = calls && new Tree(calls.calls);
          shown.current = asked;
          setChain({ answer: calls, tree, entries: new Entries(traces, text, calls) });
          setMissed(0);
          setFault(null);
        } catch (error) {
          if (error instanceof Refusal) setFault(error);
          if (!isFinal(error)) throw error;
        }
      }, PAUSE_MS),
    [id],
  );
  useEffect(() => refresh.end, [refresh]);
  useEffect(() => {
    if (isFollowing) refresh.now();
  }, [isFollowing]);
  useEffect(() => refresh.now(), [skew]);

  useEffect(
    () =>
      listen({
        prefix: id,
        onOpen: () => newest.current.isFollowing && refresh(),
        onEntry: (event) => {
          // Other ids may begin like this one.
          if (JSON.parse(event.data).correlation_id !== id) return;
          if (newest.current.isFollowing) refresh();
          else setMissed((count) => count + 1);
        },
      }),
    [id],
  );
  return { chain, fault, missed };
}
