// Faults in place, and the kill switch.
import { at, el, redraw, say } from "./make.js";

const countdown = (left) => {
  const whole = Math.max(Math.round(left), 0);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
};

export const showFaults = (view) => {
  const { possible, known, silent } = view.faults;
  redraw(at("faults"), known.map((fault) => fault.id), () => known.map((fault) => el("li", { "data-fault": fault.id },
    el("span", { class: "mark band" }, el("span", { class: "sign", "aria-hidden": "true" }, "▲"), ` ${fault.type}`),
    ` at ${fault.target}`, el("small", { class: "lease" }), el("small", {}, [fault.about, `fault ${fault.id}`].filter(Boolean).join(", ")))));
  for (const [index, fault] of known.entries()) {
    const lease = at("faults").children[index].querySelector(".lease");
    say(lease, fault.remaining === null ? "until it is taken back" : `ends by itself in ${countdown(fault.remaining)}${fault.met === null ? "" : `, met ${fault.met} ×`}`);
  }
  const notes = [];
  if (!possible) notes.push("This platform takes none: it was started without --chaos.");
  else if (!known.length) notes.push("None is in place.");
  if (silent.length) notes.push(`Not known of: ${silent.join(", ")}.`);
  say(at("faults-note"), notes.join(" "));
  at("stop").disabled = !possible;
  at("stop").hidden = !possible || !at("confirm").hidden;
};

export const armStop = (post) => {
  const stop = at("stop");
  const confirm = at("confirm");
  const ask = (asking) => {
    confirm.hidden = !asking;
    stop.hidden = asking;
    (asking ? at("stop-yes") : stop).focus();
  };
  stop.addEventListener("click", () => ask(true));
  at("stop-no").addEventListener("click", () => ask(false));
  confirm.addEventListener("keydown", (event) => { if (event.key === "Escape") ask(false); });
  at("stop-yes").addEventListener("click", async () => {
    ask(false);
    stop.disabled = true;
    say(at("stop-said"), "Stopping …");
    try {
      const answer = await post("/console/stop");
      say(at("stop-said"), answer.said.join("; "));
    } catch (error) {
      say(at("stop-said"), `Not stopped: ${error.message}`);
    } finally {
      stop.disabled = false;
    }
  });
};
