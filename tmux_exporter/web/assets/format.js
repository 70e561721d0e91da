// Figures as a person reads them. Everything takes null for "not known" and then says "–".

export const UNKNOWN = "–";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

export function bytes(value) {
  if (value === null) return UNKNOWN;
  let step = 0;
  while (value >= 1000 && step < UNITS.length - 1) {
    value /= 1024;
    step += 1;
  }
  const digits = step === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${UNITS[step]}`;
}

export function count(value) {
  return value === null ? UNKNOWN : value.toLocaleString("en");
}

// A share of one core: 1 is one core fully used.
export function percent(value) {
  if (value === null) return UNKNOWN;
  const hundredths = value * 100;
  if (hundredths > 0 && hundredths < 0.1) return "<0.1 %";
  return `${hundredths.toFixed(hundredths < 10 ? 1 : 0)} %`;
}

export function duration(seconds) {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

// With its minutes, for what is still to come: "in 1 h" may be almost two.
function exact(seconds) {
  const minutes = Math.floor((seconds % 3600) / 60);
  return seconds >= 3600 && seconds < 86400 && minutes ? `${duration(seconds)} ${minutes} min` : duration(seconds);
}

export function ago(timestamp, now) {
  if (timestamp === null) return UNKNOWN;
  const seconds = now - timestamp;
  return seconds < 2 ? "now" : `${duration(seconds)} ago`;
}

export function until(timestamp, now) {
  if (timestamp === null) return UNKNOWN;
  const seconds = timestamp - now;
  return seconds >= 0 ? `in ${exact(seconds)}` : `${exact(-seconds)} late`;
}

export function moment(timestamp) {
  return timestamp === null ? "" : new Date(timestamp * 1000).toLocaleString();
}

// A moment of the next or last hours by its time of day, another one with its date.
export function near(timestamp, now) {
  const time = { hour: "numeric", minute: "2-digit" };
  const far = Math.abs(timestamp - now) > 72000;
  return new Date(timestamp * 1000).toLocaleString([], far ? { month: "short", day: "numeric", ...time } : time);
}

// How long something takes.
export function lasting(seconds) {
  if (seconds === null) return UNKNOWN;
  if (seconds >= 100) return duration(seconds);
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toPrecision(2)} s`;
}

export function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

// The sum of what is known; null where nothing is.
export function total(items, value) {
  const known = items.map(value).filter((each) => each !== null);
  return known.length ? known.reduce((sum, each) => sum + each, 0) : null;
}
