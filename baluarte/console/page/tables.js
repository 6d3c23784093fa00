// The tables and lists: parts, connections, breakers, alerts, the ledger's check.
import { at, breakerLevel, breakerWords, clock, duration, el, mark, rate, redraw, say, share, stateLevel } from "./make.js";

const cell = (label, content, more = {}) => el("td", { "data-label": label, ...more }, content);
const rows = (id, values, build) => redraw(at(id).tBodies[0], values, () => values.map((value) => el("tr", {}, ...build(value))));

export const showParts = (view) => {
  const shown = view.parts.map((part) => ({ ...part, uptime: part.uptime === null ? "–" : duration(part.uptime) }));
  rows("parts", shown, (part) => [
    el("th", { scope: "row" }, part.name),
    cell("state", el("span", {}, mark(stateLevel(part.state), part.state), part.reason ? el("small", {}, part.reason) : "")),
    cell("restarts", String(part.restarts), { class: "number" }),
    cell("up for", part.uptime, { class: "number" }),
    cell("tells metrics", part.answers === null ? "not asked" : part.answers ? "yes" : "no"),
  ]);
};

export const showEdges = (view) => rows("edges", view.edges, (edge) => [
  cell("from", edge.from),
  cell("to", edge.to),
  cell("breaker", mark(breakerLevel(edge.breaker), breakerWords(edge.breaker))),
  cell("calls", rate(edge.rate), { class: "number" }),
  cell("fail", share(edge.share), { class: "number" }),
  cell("faults", edge.faults.join(", ") || "none"),
]);

// Closed ones are many and say little: they are counted, and stand in the table of connections.
export const showBreakers = (view) => {
  const notable = view.breakers.filter((row) => row.state !== "closed" || row.opened > 0);
  const closed = view.breakers.length - notable.length;
  let note = "No process tells of its breakers.";
  if (closed) note = `${notable.length ? "The other" : "All"} ${closed} are closed, and have never been open.`;
  else if (notable.length) note = "Each of them has been open at least once.";
  say(at("breakers-note"), note);
  at("breakers").hidden = !notable.length;
  rows("breakers", notable, (row) => [
    el("th", { scope: "row" }, row.process),
    cell("calls", row.service),
    cell("state", mark(breakerLevel(row.state), breakerWords(row.state))),
    cell("opened", `${row.opened} ×`, { class: "number" }),
    cell("refused", rate(row.refused), { class: "number" }),
  ]);
};

const alertLevel = (alert) => (alert.state === "firing" ? (alert.severity === "page" ? "bad" : "doubt") : "none");

export const showAlerts = (view) => {
  const { watched, active, over } = view.alerts;
  let note = "";
  if (!watched) note = "Prometheus is not running, and nothing here evaluates alerts: start with baluarte up --monitoring.";
  else if (active === null) note = "Prometheus does not answer: whether anything fires is not known.";
  else if (!active.length) note = "None is pending or fires.";
  say(at("alerts-note"), note);
  const all = [...(active || []), ...over];
  redraw(at("alerts"), all, () => all.map((alert) => el("li", {},
    mark(alertLevel(alert), `${alert.name}: ${alert.state}`),
    alert.about ? ` about ${alert.about}` : "",
    alert.chaos ? el("small", {}, "while a fault is in place") : "",
    el("small", {}, [alert.severity, alert.endedAt ? `over at ${clock(alert.endedAt)}` : alert.since ? `since ${new Date(alert.since).toLocaleTimeString("en-GB")}` : ""].filter(Boolean).join(", ")),
    el("small", {}, alert.text))));
};

export const showLedger = (view) => {
  const { known, age, laws, imbalance } = view.ledger;
  const place = at("ledger");
  const stale = known && age > 120;
  let level = "good";
  let words = `in balance: ${laws} sums are 0`;
  if (!known) [level, words] = ["doubt", "not known: the ledger does not answer"];
  else if (imbalance.length) [level, words] = ["bad", "OUT OF BALANCE"];
  else if (stale) [level, words] = ["bad", "in balance when it was checked, which is too long ago"];
  const checked = known ? ` Last checked ${duration(age)} ago; a check comes every 30 s.` : "";
  redraw(place, [level, words, checked], () => [mark(level, words), el("small", {}, checked)]);
  redraw(at("imbalance"), imbalance, () => imbalance.map((one) => el("li", {},
    mark("bad", `${one.currency}, ${one.law}: off by ${one.minorUnits.toLocaleString("en")} minor units`))));
};
