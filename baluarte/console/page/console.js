// Signs in, follows the stream, and says when what is shown is not live.
import { armCurves, draw, take } from "./curves.js";
import { armStop, showFaults } from "./faults.js";
import { at, clock, duration, el, redraw, say, SIGNS } from "./make.js";
import { drawMap } from "./map.js";
import { armSlow, showSlow } from "./slow.js";
import { showAlerts, showBreakers, showEdges, showLedger, showParts } from "./tables.js";

const LATE = 4000; // milliseconds without news after which nothing is live any more
const AGAIN = 5000; // until the stream is tried anew after a refusal

let source = null;
let view = null;
let heard = null; // when news came last, on this page's own clock
let opened = performance.now();
let refused = "";

const send = async (method, path, body) => {
  const answer = await fetch(path, {
    method,
    headers: method === "GET" ? {} : { "X-Baluarte-Console": "1", "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
    credentials: "same-origin",
  });
  if (answer.status === 204) return null;
  const told = await answer.json().catch(() => ({ detail: `status ${answer.status}` }));
  if (!answer.ok) {
    if (answer.status === 401 && path !== "/console/session") askToSignIn("You are signed out: the session is over, or the supervisor was restarted.");
    throw Object.assign(new Error(told.detail), { status: answer.status });
  }
  return told;
};

const askToSignIn = (said) => {
  source?.close();
  source = null;
  at("console").hidden = true;
  at("live").hidden = true;
  at("leave").hidden = true;
  at("sign-in").hidden = false;
  say(at("sign-in-said"), said);
};

const enter = async (secret) => {
  try {
    await send("POST", "/console/session", { secret });
    follow();
  } catch (error) {
    askToSignIn(error.message);
  }
};

const follow = () => {
  at("sign-in").hidden = true;
  at("console").hidden = false;
  at("live").hidden = false;
  at("leave").hidden = false;
  opened = performance.now();
  source?.close();
  source = new EventSource("/console/stream");
  for (const name of ["whole", "now"]) source.addEventListener(name, (event) => show(JSON.parse(event.data)));
  source.onerror = () => {
    tick();
    if (source && source.readyState === EventSource.CLOSED) ask(); // refused: an EventSource does not come back then
  };
};

// Why the stream was refused; it is tried anew unless we are signed out.
const ask = async () => {
  const mine = source;
  try {
    const { signedIn, full } = await send("GET", "/console/session");
    if (!signedIn) {
      askToSignIn(heard === null ? "" : "You are signed out: the session is over, or the supervisor was restarted.");
      return;
    }
    refused = full ? "too many pages of this console are open" : "";
  } catch {
    refused = "";
  }
  setTimeout(() => { if (source === mine && source) follow(); }, AGAIN);
};

const show = (news) => {
  view = news;
  heard = performance.now();
  refused = "";
  take(view);
  showVerdict(view.verdict);
  drawMap(view);
  showParts(view);
  showEdges(view);
  draw();
  showFaults(view);
  showAlerts(view);
  showLedger(view);
  showBreakers(view);
  showSlow(view, (path) => send("GET", path));
  tick();
};

const showVerdict = ({ level, headline, reasons }) => {
  const place = at("verdict");
  place.className = `verdict ${level}`;
  document.title = `${level === "good" ? "" : `${headline}: `}Baluarte console`;
  say(place.querySelector(".sign"), SIGNS[level]);
  say(place.querySelector(".text"), headline);
  redraw(place.querySelector(".reasons"), reasons, () => reasons.map((reason) => el("li", {}, reason)));
};

// Whether what is shown is of now: told every second, and in the verdict when it is not.
const tick = () => {
  if (at("console").hidden) return;
  const age = performance.now() - (heard ?? opened);
  const live = heard !== null && age < LATE;
  const place = at("live");
  place.className = `live ${live ? "good" : "bad"}`;
  say(place.querySelector(".sign"), live ? SIGNS.good : SIGNS.bad);
  if (live) say(place.querySelector(".text"), `live, ${clock(view.at)}`);
  else if (heard === null) say(place.querySelector(".text"), refused || "connecting");
  else say(place.querySelector(".text"), `not live since ${duration(age / 1000)}`);
  at("console").classList.toggle("old", !live);
  if (!live && heard !== null) {
    showVerdict({ level: "doubt", headline: "Not live", reasons: [refused || "the supervisor does not answer this page; it is tried again and again", `what is below is of ${clock(view.at)}`] });
  }
};

at("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = at("token");
  enter(field.value.trim());
  field.value = "";
});
at("leave").addEventListener("click", async () => {
  await send("DELETE", "/console/session").catch(() => null);
  heard = null;
  askToSignIn("You are signed out.");
});
new ResizeObserver(() => { if (view) drawMap(view); }).observe(at("map"));
armCurves();
armStop((path) => send("POST", path));
armSlow();
setInterval(tick, 1000);

// The ticket leaves the address at once: neither history nor a copied address has it.
const arrive = async () => {
  const ticket = new URLSearchParams(location.hash.slice(1)).get("ticket");
  if (location.hash) history.replaceState(null, "", location.pathname);
  if (ticket) await enter(ticket);
  else if ((await send("GET", "/console/session").catch(() => ({ signedIn: true }))).signedIn) follow();
  else askToSignIn("");
};
addEventListener("hashchange", () => { if (location.hash.includes("ticket=")) arrive(); });
arrive();
