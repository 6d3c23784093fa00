// Slow requests, and the story of the one that was chosen.
import { at, clock, el, redraw, say, seconds } from "./make.js";

let chosen = null;

const choose = async (get, request) => {
  chosen = request.id;
  at("story").hidden = false;
  say(at("story-title"), `Request ${request.id}`);
  say(at("story-note"), "Reading the logs …");
  at("story-lines").replaceChildren();
  at("story-title").focus();
  try {
    const { lines } = await get(`/console/requests/${encodeURIComponent(request.id)}`);
    if (chosen !== request.id) return;
    say(at("story-note"), lines.length ? `${lines.length} lines of ${new Set(lines.map((line) => line.service)).size} parts` : "Its lines are not in the logs any more.");
    at("story-lines").replaceChildren(...lines.map((line) => el("li", {},
      el("span", { class: "at" }, line.timestamp.slice(11, 23)),
      el("span", { class: `level level-${line.level.replace(/[^a-z]/g, "")}` }, line.level),
      el("span", {}, el("b", {}, line.service), ` ${line.event} `, el("small", {}, line.rest)))));
  } catch (error) {
    say(at("story-note"), `Not read: ${error.message}`);
  }
};

export const showSlow = (view, get) => {
  const list = at("slow");
  const focused = list.contains(document.activeElement) ? document.activeElement.dataset.request : null;
  const worst = view.slow.length ? view.slow[0].duration : 1;
  const changed = redraw(list, view.slow, () => view.slow.map((request) => {
    const button = el("button", { type: "button", class: "row", "data-request": request.id },
      el("span", { class: "took" }, seconds(request.duration)),
      el("span", { class: "bar" }, el("span", { class: "bar-fill" })),
      el("span", {}, `at ${clock(request.at)}, status ${request.status}${request.code ? `, ${request.code}` : ""}`),
      el("small", {}, request.id));
    button.querySelector(".bar-fill").style.width = `${(100 * request.duration) / worst}%`;
    button.addEventListener("click", () => choose(get, request));
    return el("li", {}, button);
  }));
  if (!view.slow.length) redraw(list, "none", () => [el("li", { class: "note" }, "The gateway has logged no request in ten minutes (requests are logged at level INFO).")]);
  if (changed && focused) [...list.querySelectorAll("button")].find((button) => button.dataset.request === focused)?.focus();
};

export const armSlow = () => at("story-close").addEventListener("click", () => {
  const from = chosen;
  chosen = null;
  at("story").hidden = true;
  const button = [...at("slow").querySelectorAll("button")].find((one) => one.dataset.request === from);
  (button || at("slow-title")).focus();
});
