// What is known of a chain at a glance, and what can be taken away from it.

import { html } from '../../vendor/preact-htm.js';
import { address, chainPath } from '../base/api.js';
import { copy, quoted } from '../base/clipboard.js';
import { counted, dateTime, duration, name } from '../base/format.js';
import { Icon, IconButton } from '../base/icons.js';
import { change, follow, listHref } from '../base/router.js';
import { isSignedIn } from '../frame/session.js';
import { Who } from './who.js';

export function Head({ id, chain, isUnknown, parameters, onSearch, onSelect, onCompare, isComparing }) {
  const answer = chain?.answer;
  const secret = isSignedIn() ? ' -H "X-TraceHub-Secret: $TRACEHUB_READ_SECRET"' : '';
  const copyCurl = () => copy(`curl ${quoted(address(chainPath(id)))}${secret}`, 'the command');
  return html`
    <div class="chain-top">
      <a class="icon-button" href=${listHref()} onClick=${follow} aria-label="Back to the chains" title="Back to the chains (Esc)"><${Icon} name="back" /></a>
      <h1 class="chain-title">${name(id)}</h1>
      <${IconButton} icon="copy" label="Copy the id" hint="Copy the id (y)" onClick=${() => copy(id, 'the id')} data-testid="copy-id" />
      ${answer && !isUnknown && html`<${Status} answer=${answer} />`}
      <span class="header-rest"></span>
      <span class="chain-actions">
        <button type="button" class="plain-button" title="Copy the address of this view" onClick=${() => copy(location.href, 'the link')} data-testid="copy-link">
          <${Icon} name="link" /> Link
        </button>
        <button type="button" class="plain-button" title="Copy a command that asks for this chain" onClick=${copyCurl} data-testid="copy-curl">
          <${Icon} name="terminal" /> curl
        </button>
        ${!isUnknown && html`
          <button type="button" class="plain-button" aria-pressed=${isComparing} title="Compare with another chain (c)" onClick=${onCompare} data-testid="compare">
            <${Icon} name="compare" /> Compare
          </button>`}
      </span>
    </div>
    ${answer && !isUnknown && html`<${Facts} chain=${chain} parameters=${parameters} onSearch=${onSearch} onSelect=${onSelect} />`}
  `;
}

function Status({ answer }) {
  return answer.complete
    ? html`<span class="status is-complete" title="As many leaves as enters"><i></i>complete</span>`
    : html`<span class="status is-incomplete" title="Some call was not left"><i></i>incomplete</span>`;
}

function Facts({ chain, parameters, onSearch, onSelect }) {
  const { answer, tree, entries } = chain;
  const of = (status) => answer.calls.filter((call) => call.status === status).length;
  const [unfinished, orphans] = [of('unfinished'), of('orphan')];
  const silence = entries?.silences[0];
  // The call whose entry ended it.
  const afterSilence = silence ? entries.calls[silence.before] : -1;
  return html`
    <div class="facts">
      <span class="fact"><b>${duration(answer.duration_ms)}</b></span>
      ${answer.start !== null && html`<span class="fact" title="The first entry">${dateTime(answer.start)}</span>`}
      <span class="fact">${counted(answer.count, 'entry', 'entries')}, ${counted(tree.calls.length, 'call')}</span>
      <${Who} answer=${answer} hosts=${entries?.hosts ?? []} onSearch=${onSearch} />
      ${unfinished > 0 && html`
        <button type="button" class="chip is-unfinished" onClick=${() => onSearch('is:unfinished')} title="Show them alone">
          ${counted(unfinished, 'unfinished call')}
        </button>`}
      ${orphans > 0 && html`
        <button type="button" class="chip is-orphan" onClick=${() => onSearch('is:orphan')} title="Leaves without an enter; show them alone">
          ${counted(orphans, 'orphan')}
        </button>`}
      ${silence && html`
        <button type="button" class="chip" onClick=${() => afterSilence >= 0 && onSelect(afterSilence)} data-testid="silence"
          title="The longest time in which nobody logged anything; select what came after it">
          ${duration(silence.duration)} of silence
        </button>`}
      ${(answer.skew.length > 0 || parameters.skew === 'off') && html`<${Skew} answer=${answer} parameters=${parameters} />`}
    </div>
  `;
}

function Skew({ answer, parameters }) {
  if (parameters.skew === 'off') {
    return html`<button type="button" class="chip" onClick=${() => change({ skew: '' }, { replace: true })}>Times as logged; correct clocks</button>`;
  }
  const clocks = answer.skew.map((each) => `${name(each.hostname)} ${each.offset_ms > 0 ? '+' : ''}${duration(each.offset_ms)}`);
  const text = clocks.length > 2 ? `${clocks.length} clocks corrected` : `clock of ${clocks.join(', ')} corrected`;
  return html`
    <button type="button" class="chip" title=${`${clocks.join(', ')}; show times as they were logged`} onClick=${() => change({ skew: 'off' }, { replace: true })}
      data-testid="skew">${text}</button>
  `;
}
