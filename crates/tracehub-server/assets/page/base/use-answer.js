// A question to the server, for a component that is nothing without the answer.

import { useEffect, useState } from '../../vendor/preact-htm.js';
import { get, isFinal, Refusal } from './api.js';
import { paced } from './paced.js';

/**
 * `{answer, fault}`: what the server answers, and its last refusal, each null before there is one. An answer stays until there
 * is one for other parameters. What fails and may go well the next time is asked again by itself.
 */
export function useAnswer(path, parameters) {
  const [answer, setAnswer] = useState(null);
  const [fault, setFault] = useState(null);
  useEffect(() => {
    const controller = new AbortController();
    const ask = paced(async () => {
      try {
        setAnswer(await get(path, parameters, controller.signal));
        setFault(null);
      } catch (error) {
        if (controller.signal.aborted) return;
        if (error instanceof Refusal) setFault(error);
        if (!isFinal(error)) throw error;
      }
    }, 0);
    ask();
    return () => {
      ask.end();
      controller.abort();
    };
  }, [path, JSON.stringify(parameters)]);
  return { answer, fault };
}
