// Numbers, times and names as people read them.

const COUNT = new Intl.NumberFormat('en');
const DATE = new Intl.DateTimeFormat('sv', { year: 'numeric', month: '2-digit', day: '2-digit' });
const HOURS_A_YEAR = 8766;
const TIME = new Intl.DateTimeFormat('sv', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
});

/** A whole number with its thousands apart. */
export function count(number) {
  return COUNT.format(number);
}

/** "1 call", "2 calls". */
export function counted(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/** A span of time in milliseconds: three digits that matter, and the unit that fits. */
export function duration(ms) {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return '';
  if (ms < 0) return `−${duration(-ms)}`;
  if (ms === 0) return '0 ms';
  if (ms < 0.9995) return `${digits(ms * 1000)} µs`;
  if (ms < 999.5) return `${digits(ms)} ms`;
  if (ms < 59_995) return `${digits(ms / 1000)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${two(seconds % 60)}s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)}h ${two(minutes % 60)}m`;
  const hours = Math.round(minutes / 60);
  if (hours < 24_000) return `${Math.floor(hours / 24)}d ${hours % 24}h`;
  // Timestamps are any number, so a span may be longer than anything that has a name.
  const years = hours / HOURS_A_YEAR;
  return `${years < 1e6 ? digits(years) : years.toExponential(1).replace('e+', 'e')} y`;
}

function digits(number) {
  const places = number >= 100 ? 0 : number >= 10 ? 1 : 2;
  return String(Number(number.toFixed(places)));
}

function two(number) {
  return String(number).padStart(2, '0');
}

/** How long ago something was, roughly. What is yet to come by some clock is now. */
export function ago(ms) {
  return ms < 1000 ? 'now' : `${age(ms)} ago`;
}

function age(ms) {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`;
  const days = Math.floor(seconds / 86_400);
  return days < 1000 ? `${days}d` : `${Math.floor(days / 365.25)}y`;
}

/** A point in time with its day, in the reader's time zone, to the millisecond. */
export function dateTime(unixMs) {
  if (!isDate(unixMs)) return String(unixMs);
  return `${DATE.format(unixMs)} ${clock(unixMs)}`;
}

/** A point in time without its day. */
export function clock(unixMs) {
  return isDate(unixMs) ? TIME.format(unixMs).replace(',', '.') : String(unixMs);
}

/** Timestamps are any finite number; a calendar is not. */
function isDate(unixMs) {
  return Number.isFinite(unixMs) && Math.abs(unixMs) <= 8.64e15;
}

/** A time after another. */
export function offset(ms) {
  return ms < 0 ? duration(ms) : `+${duration(ms)}`;
}

/** The same to the millisecond, for many below each other that differ by little. */
export function exactOffset(ms) {
  const sign = ms < 0 ? '−' : '+';
  const size = Math.abs(ms);
  if (size < 1000) return `${sign}${Number(size.toFixed(size < 10 ? 2 : 1))} ms`;
  if (size < 59_999.5) return `${sign}${(size / 1000).toFixed(3)} s`;
  const seconds = Math.floor(size / 1000);
  return `${sign}${Math.floor(seconds / 60)}m ${two(seconds % 60)}.${String(Math.floor(size % 1000)).padStart(3, '0')}s`;
}

/** Bytes. */
export function bytes(number) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  while (number >= 999.5 && unit < units.length - 1) {
    number /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? number : digits(number)} ${units[unit]}`;
}

/** What a text could do to the texts around it or hide from a reader: control characters, changes of direction. */
const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** A name that came with an entry, with what is invisible in it made visible. */
export function name(text) {
  return text.replace(INVISIBLE, escaped);
}

/** The same for text of several lines. */
export function lines(text) {
  return text.replace(INVISIBLE, (character) => ('\n\t'.includes(character) ? character : escaped(character)));
}

function escaped(character) {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
