// The curves of the last minutes. A point is [at, rate, errors, degraded, stale, p50, p95, p99].
import { at, clock, el, rate, redraw, say, seconds, share, svg } from "./make.js";

const SPAN = 600;
const HEIGHT = 128;
const LEFT = 54;
const TOP = 14;
const BOTTOM = 20;
const GAP = 40; // seconds between two points beyond which no line is drawn: nobody has looked meanwhile

const CHARTS = [
  { id: "rate", title: "Requests", least: 1, unit: rate, lines: [{ index: 1, name: "GraphQL operations a second", style: "ink" }] },
  { id: "errors", title: "Errors", least: 0.05, most: 1, unit: share, lines: [{ index: 2, name: "share of the answers that are errors of ours", style: "bad" }] },
  { id: "latency", title: "Time to answer", least: 0.05, unit: seconds, lines: [
    { index: 5, name: "p50", style: "fresh" }, { index: 6, name: "p95", style: "ink" }, { index: 7, name: "p99", style: "soft" }] },
  { id: "stale", title: "Stale or missing parts", least: 0.05, most: 1, unit: share, lines: [{ index: 3, name: "share of the answers that have some, and say so", style: "stale" }] },
];

let points = [];
let bands = [];

export const take = (view) => {
  if (view.points) points = view.points;
  else if (!points.length || view.point[0] > points[points.length - 1][0]) points.push(view.point);
  while (points.length && points[0][0] < view.at - SPAN) points.shift();
  bands = view.bands;
};

export const armCurves = () => {
  at("curves").append(...CHARTS.map((chart) => el("figure", { id: `curve-${chart.id}` },
    el("figcaption", {},
      el("h3", {}, chart.title), el("p", { class: "current" }),
      el("ul", { class: "legend", "aria-hidden": "true" }, ...chart.lines.map((line) => el("li", {},
        svg("svg", { class: "swatch", viewBox: "0 0 26 12" }, svg("path", { class: `line line-${line.style}`, d: "M1 6H25" })), line.name)))),
    svg("svg", { class: "chart", role: "img" }))));
  new ResizeObserver(draw).observe(at("curves"));
};

const nice = (value) => {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((step) => step * power).find((step) => step >= value * 0.999);
};

export const draw = () => {
  const now = points.length ? points[points.length - 1][0] : Date.now() / 1000;
  for (const chart of CHARTS) drawOne(chart, now);
  const told = bands.map(([label, since, until], index) =>
    `${letter(index)}: ${label}, ${clock(since)} to ${until === null ? "now" : clock(until)}`);
  say(at("bands"), told.length ? `Shaded: ${told.join("; ")}.` : "");
};

const letter = (index) => String.fromCharCode(65 + (index % 26));

const drawOne = (chart, now) => {
  const figure = at(`curve-${chart.id}`);
  const place = figure.querySelector("svg.chart");
  const width = Math.max(place.clientWidth, 200);
  const values = chart.lines.flatMap((line) => points.map((point) => point[line.index])).filter((value) => value !== null);
  let top = nice(Math.max(chart.least, ...values));
  if (chart.most) top = Math.min(top, chart.most);
  const x = (when) => LEFT + ((when - now + SPAN) / SPAN) * (width - LEFT - 6);
  const y = (value) => TOP + (1 - Math.min(value / top, 1)) * (HEIGHT - TOP - BOTTOM);
  place.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  const parts = bands.flatMap(([, since, until], index) => bandOf(x(Math.max(since, now - SPAN)), x(until ?? now), letter(index)));
  for (const part of [0, 0.5, 1]) {
    parts.push(svg("line", { class: "grid", x1: LEFT, x2: width - 6, y1: y(part * top), y2: y(part * top) }));
    if (part !== 0.5) parts.push(svg("text", { x: LEFT - 6, y: y(part * top) + 4, "text-anchor": "end" }, part ? chart.unit(top) : "0"));
  }
  for (const minute of width > 420 ? [8, 6, 4, 2] : [8, 4]) parts.push(svg("text", { x: x(now - minute * 60), y: HEIGHT - 4, "text-anchor": "middle" }, `−${minute} min`));
  parts.push(svg("text", { x: width - 6, y: HEIGHT - 4, "text-anchor": "end" }, "now"));
  for (const line of chart.lines) parts.push(svg("path", { class: `line line-${line.style}`, d: path(line.index, x, y) }));
  place.replaceChildren(...parts);
  tell(chart, figure, place);
};

const bandOf = (from, to, name) => [
  svg("rect", { class: "band", x: from, y: TOP, width: Math.max(to - from, 2), height: HEIGHT - TOP - BOTTOM }),
  svg("text", { class: "band-letter", x: from + 1, y: TOP - 3 }, name),
];

const path = (index, x, y) => {
  let text = "";
  let last = null;
  for (const point of points) {
    if (point[index] === null) { last = null; continue; }
    const place = `${x(point[0]).toFixed(1)} ${y(point[index]).toFixed(1)}`;
    // A line begins with a dot, so that a point by itself is seen.
    text += last === null || point[0] - last > GAP ? `M${place}L${place}` : `L${place}`;
    last = point[0];
  }
  return text;
};

// The same in words, for who cannot see the curve, and the value of now for everybody.
const tell = (chart, figure, place) => {
  const last = points.length ? points[points.length - 1] : null;
  const current = last ? chart.lines.map((line) => `${chart.lines.length > 1 ? `${line.name} ` : ""}${chart.unit(last[line.index])}`).join(" · ") : "–";
  say(figure.querySelector(".current"), current);
  const words = chart.lines.map((line) => {
    const known = points.map((point) => point[line.index]).filter((value) => value !== null);
    const name = chart.lines.length > 1 ? line.name : chart.title;
    return known.length ? `${name}: now ${chart.unit(last[line.index])}, between ${chart.unit(Math.min(...known))} and ${chart.unit(Math.max(...known))} in the last minutes` : `${name}: nothing known`;
  });
  place.setAttribute("aria-label", words.join(". "));
};
