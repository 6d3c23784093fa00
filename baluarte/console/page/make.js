// Small makers of elements, and words for numbers. Whatever comes from the platform becomes text, never markup.

const SVG = "http://www.w3.org/2000/svg";

const fill = (node, attributes, children) => {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
};

export const el = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);
export const svg = (name, attributes = {}, ...children) => fill(document.createElementNS(SVG, name), attributes, children);
export const at = (id) => document.getElementById(id);

// Draws only when what is shown has changed, so that nothing flickers and a selection stays.
const drawn = new WeakMap();
export const redraw = (node, value, build) => {
  const key = JSON.stringify(value);
  if (drawn.get(node) === key) return false;
  drawn.set(node, key);
  node.replaceChildren(...build());
  return true;
};

export const say = (node, text) => {
  if (node.textContent !== text) node.textContent = text;
};

// A state is told by a sign and a word; the colour comes on top.
export const SIGNS = { good: "●", doubt: "◐", bad: "✕", none: "○" };
export const mark = (level, text) => el("span", { class: `mark ${level}` },
  el("span", { class: "sign", "aria-hidden": "true" }, SIGNS[level]), ` ${text}`);

export const number = (value) => Number(value.toPrecision(3)).toLocaleString("en");
export const rate = (value) => (value === null ? "–" : `${number(value)}/s`);
export const share = (value) => (value === null ? "–" : `${number(value * 100)} %`);
export const seconds = (value) => {
  if (value === null) return "–";
  if (value < 1) return `${number(value * 1000)} ms`;
  return value < 120 ? `${number(value)} s` : duration(value);
};
export const duration = (value) => {
  const whole = Math.floor(value);
  if (whole < 120) return `${whole} s`;
  if (whole < 7200) return `${Math.floor(whole / 60)} min`;
  return whole < 172800 ? `${Math.floor(whole / 3600)} h` : `${Math.floor(whole / 86400)} d`;
};
export const clock = (epoch) => new Date(epoch * 1000).toLocaleTimeString("en-GB");

// A breaker that is not told of (null) is of a process that does not answer.
export const breakerWords = (state) => ({ closed: "closed", half_open: "half open", open: "open" })[state] ?? "not known";
export const breakerLevel = (state) => ({ closed: "good", half_open: "doubt", open: "bad" })[state] ?? "none";
const STATES = { ready: "good", starting: "doubt", stopping: "doubt" };
const DOWN = new Set(["failed", "backoff", "held down", "paused", "unready", "stopped"]);
export const stateLevel = (state) => STATES[state] ?? (DOWN.has(state) ? "bad" : "none");
