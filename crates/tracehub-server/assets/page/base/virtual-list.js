// A list of any length that draws the rows in sight alone. All rows are of one height.

import { Component, html } from '../../vendor/preact-htm.js';

/** Rows drawn beyond each edge, so that scrolling shows them before they are asked for. */
const BEYOND = 10;

/**
 * `count` rows of `rowHeight` pixels; `row(index)` draws one, which must be a single element and fill its place.
 * `header` stays on top, `headerHeight` pixels high; `behind` lies under all rows. `active` is kept in sight when it changes;
 * with `sticks`, the end is kept in sight as long as the reader is there.
 */
export class VirtualList extends Component {
  box = { current: null };
  state = { top: 0, height: 600 };
  isAtEnd = true;
  /** The rows that were drawn last, by index: scrolling alone changes none of them, so they need not be looked at again. */
  drawn = { by: null, slots: 0, rows: new Map() };

  componentDidMount() {
    this.observer = new ResizeObserver(() => this.measure());
    this.observer.observe(this.box.current);
    this.measure();
    this.reveal(this.props.active);
    this.stick();
  }

  componentWillUnmount() {
    this.observer.disconnect();
  }

  componentDidUpdate(before) {
    if (before.active !== this.props.active) this.reveal(this.props.active);
    if (before.count !== this.props.count) {
      this.measure();
      this.stick();
    }
  }

  measure = () => {
    const { scrollTop, clientHeight, scrollHeight } = this.box.current;
    this.isAtEnd = scrollTop + clientHeight >= scrollHeight - 2 * this.props.rowHeight;
    if (scrollTop !== this.state.top || clientHeight !== this.state.height) {
      this.setState({ top: scrollTop, height: clientHeight });
    }
  };

  /** Scrolls as little as shows a row. */
  reveal(index) {
    if (index === undefined || index === null || index < 0) return;
    const box = this.box.current;
    const { rowHeight, headerHeight = 0 } = this.props;
    const top = index * rowHeight;
    const room = box.clientHeight - headerHeight - rowHeight;
    if (room <= 0) return;
    if (top < box.scrollTop) box.scrollTop = top - rowHeight;
    else if (top > box.scrollTop + room) box.scrollTop = top - room + rowHeight;
  }

  stick() {
    if (this.props.sticks && this.isAtEnd) this.box.current.scrollTop = this.box.current.scrollHeight;
  }

  render({ count, rowHeight, row, header, headerHeight = 0, behind, className = '', innerRole = 'presentation', attributes }) {
    const first = Math.max(0, Math.floor(this.state.top / rowHeight) - BEYOND);
    const last = Math.min(count, Math.ceil((this.state.top + this.state.height) / rowHeight) + BEYOND);
    const slots = Math.ceil(this.state.height / rowHeight) + 2 * BEYOND + 2;
    const known = this.drawn.by === row && this.drawn.slots === slots ? this.drawn.rows : new Map();
    const now = new Map();
    for (let index = first; index < last; index += 1) {
      // Rows that leave on one side come back on the other: an element is changed sooner than made.
      const place = { transform: `translateY(${index * rowHeight}px)`, height: `${rowHeight}px` };
      const drawn = () => html`<div key=${index % slots} class="virtual-row" role="presentation" style=${place}>${row(index)}</div>`;
      now.set(index, known.get(index) ?? drawn());
    }
    this.drawn = { by: row, slots, rows: now };
    const rows = [...now.values()];
    return html`
      <div ref=${this.box} class="virtual ${className}" tabindex="0" onScroll=${this.measure} ...${attributes}>
        ${header && html`<div class="virtual-header" role="presentation">${header}</div>`}
        <div class="virtual-inner" role=${innerRole} style=${{ height: `${count * rowHeight}px` }}>
          ${behind}
          ${rows}
        </div>
      </div>
    `;
  }
}
