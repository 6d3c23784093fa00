// The map: who calls whom, and how that goes. Drawn in the page's own pixels, so that its text is never small.
import { at, breakerWords, number, share, SIGNS, stateLevel, svg } from "./make.js";

const TALL = 46;
const ROWS = { wide: [8, 118, 228], narrow: [4, 92, 176, 268] };
const WIDE_ENOUGH = 620;

// Neighbours call each other; only one pair of services that talk is apart.
const SERVICES = ["notifications", "users", "ledger", "transactions"];
const STORES = ["postgres", "bus", "valkey"];

const places = (width, names) => {
  const wide = width >= WIDE_ENOUGH;
  const rows = wide ? ROWS.wide : ROWS.narrow;
  const spread = (list, y, room, into) => {
    const gap = width / list.length;
    const size = Math.min(wide ? 136 : 132, gap - 12);
    list.forEach((name, index) => into.set(name, { x: gap * (index + 0.5), y: y + TALL / 2, w: size }));
  };
  const found = new Map();
  spread(["gateway"], rows[0], 1, found);
  if (wide) spread(SERVICES, rows[1], 4, found);
  else {
    spread(["users", "ledger"], rows[1], 2, found);
    spread(["notifications", "transactions"], rows[2], 2, found);
  }
  spread(STORES.filter((name) => names.has(name)), rows[rows.length - 1], 3, found);
  return { found, height: rows[rows.length - 1] + TALL + 6, apart: rows[1] - rows[0] };
};

const levelOf = (edge) => {
  if (edge.breaker === null) return "none";
  if (edge.breaker === "open") return "bad";
  if (edge.breaker === "half_open" || (edge.share !== null && edge.share > 0.05)) return "doubt";
  return edge.faults.length ? "band" : "good";
};

// Past a row, between two of its boxes: no line leads through a box as if it ended there.
const past = (from, to, apart, width) => {
  const aside = Math.sign(from.x - width / 2) * 8 || Math.sign(to.x - from.x) * 3;
  const gap = width >= WIDE_ENOUGH ? width * (to.x > from.x ? 0.75 : 0.25) : width / 2 + aside;
  const x1 = Math.max(Math.min(gap, from.x + from.w / 2 - 10), from.x - from.w / 2 + 10);
  const [y1, y2] = [from.y + TALL / 2, to.y - TALL / 2];
  const x2 = Math.max(Math.min(gap, to.x + to.w / 2 - 12), to.x - to.w / 2 + 12);
  const turn = y2 - apart + TALL + 8; // below the box that is passed
  return { d: `M${x1} ${y1}Q${gap} ${y1 + 26} ${gap} ${Math.min(y1 + 52, turn)}L${gap} ${turn}Q${gap} ${y2 - 14} ${x2} ${y2}`, x: gap, y: turn + 4 };
};

// From side to side of two boxes; level neighbours beside each other, all others from below to above.
const route = (from, to, both, apart, width) => {
  if (Math.abs(from.y - to.y) < 1) {
    const right = to.x > from.x;
    const [x1, x2] = right ? [from.x + from.w / 2, to.x - to.w / 2] : [from.x - from.w / 2, to.x + to.w / 2];
    const y = from.y + (both ? (right ? -7 : 7) : 0);
    if (Math.abs(x2 - x1) < from.w) return { d: `M${x1} ${y}L${x2} ${y}`, x: (x1 + x2) / 2, y: y - 6 };
    const top = from.y - TALL / 2;
    const [a, b] = [from.x - 24, to.x + 24];
    return { d: `M${a} ${top}C${a} ${top - 34} ${b} ${top - 34} ${b} ${top}`, x: (a + b) / 2, y: top - 30 };
  }
  if (to.y - from.y > 1.7 * apart) return past(from, to, apart, width);
  const down = to.y > from.y;
  const y1 = from.y + (down ? TALL : -TALL) / 2;
  const y2 = to.y + (down ? -TALL : TALL) / 2;
  const lean = (other, box) => Math.max(Math.min((other.x - box.x) / 6, box.w / 2 - 8), 8 - box.w / 2);
  const [x1, x2] = [from.x + lean(to, from), to.x + lean(from, to)];
  return { d: `M${x1} ${y1}L${x2} ${y2}`, x: (x1 + x2) / 2, y: (y1 + y2) / 2 + 4 };
};

const words = (edge, level) => {
  if (level === "none") return "";
  if (edge.breaker !== "closed") return breakerWords(edge.breaker);
  if (level === "doubt") return `${number(edge.share * 100)} % fail`;
  return level === "band" ? edge.faults[0] : "";
};

export const drawMap = (view) => {
  const figure = at("map");
  const width = figure.clientWidth || 320;
  const names = new Set(view.nodes.map((node) => node.name));
  const { found, height, apart } = places(width, names);
  const pairs = new Set(view.edges.map((edge) => `${edge.from}>${edge.to}`));
  const lines = [];
  const labels = [];
  // The bad ones last, on top.
  const order = { none: 0, good: 0, band: 1, doubt: 2, bad: 3 };
  const edges = view.edges.map((edge) => ({ ...edge, level: levelOf(edge) })).sort((a, b) => order[a.level] - order[b.level]);
  for (const edge of edges) {
    const [from, to] = [found.get(edge.from), found.get(edge.to)];
    if (!from || !to) continue;
    const way = route(from, to, pairs.has(`${edge.to}>${edge.from}`), apart, width);
    const busy = edge.rate > 0 ? "" : " idle";
    lines.push(svg("path", { class: `edge line-${edge.level}${busy}`, d: way.d, "data-edge": `${edge.from}>${edge.to}`, "data-breaker": edge.breaker }));
    const text = words(edge, edge.level);
    if (text) labels.push(svg("text", { class: `edge-label ${edge.level}`, x: way.x, y: way.y, "text-anchor": "middle" }, text));
  }
  const boxes = view.nodes.filter((node) => found.has(node.name)).map((node) => boxOf(node, found.get(node.name)));
  const picture = svg("svg", { class: "map", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": told(view) }, ...lines, ...boxes, ...labels);
  figure.replaceChildren(picture);
};

const boxOf = (node, { x, y, w }) => {
  const level = stateLevel(node.state);
  const fault = node.faults.length ? " faulted" : "";
  const many = node.members > 1 ? ` ${node.ready}/${node.members}` : "";
  return svg("g", { class: `node ${level}${fault}`, "data-node": node.name, "data-state": node.state },
    svg("rect", { x: x - w / 2, y: y - TALL / 2, width: w, height: TALL, rx: 3 }),
    svg("text", { class: "node-name", x, y: y - 3, "text-anchor": "middle" }, node.name),
    svg("text", { class: "node-state", x, y: y + 14, "text-anchor": "middle" }, `${SIGNS[level]} ${node.state}${many}`));
};

const told = (view) => {
  const parts = view.nodes.filter((node) => stateLevel(node.state) !== "good" && stateLevel(node.state) !== "none").map((node) => `${node.name} is ${node.state}`);
  const edges = view.edges.filter((edge) => levelOf(edge) !== "good" && levelOf(edge) !== "none").map((edge) =>
    `${edge.from} to ${edge.to}: breaker ${breakerWords(edge.breaker)}, ${share(edge.share)} of calls fail`);
  const all = [...parts, ...edges];
  return `Map of the platform. ${all.length ? all.join("; ") : "Every part is ready, every breaker closed"}. The same is in the tables below.`;
};
