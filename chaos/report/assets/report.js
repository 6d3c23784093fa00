// Read-outs and a copy button. The page says everything without them; nothing here fetches anything.
"use strict";
(() => {
  for (const button of document.querySelectorAll("button[data-copies]")) {
    const source = document.getElementById(button.dataset.copies);
    if (!source || !navigator.clipboard) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      const before = button.textContent;
      try {
        await navigator.clipboard.writeText(source.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(source);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = before; }, 1500);
    });
  }

  const holder = document.getElementById("timeline-data");
  const charts = document.getElementById("timeline-charts");
  const readout = document.getElementById("readout");
  if (!holder || !charts || !readout) return;
  const data = JSON.parse(holder.textContent);
  const lines = charts.querySelectorAll(".crosshair");
  let moment = 0;

  const number = (value) => Number(value.toPrecision(3)).toLocaleString("en");
  const shown = (value, unit) => {
    if (value === null) return "–";
    if (unit === "s") return value < 1 ? `${number(value * 1000)} ms` : `${number(value)} s`;
    if (unit === "share") return `${number(value * 100)} %`;
    return unit === "1/s" ? `${number(value)}/s` : `${number(value)} ${unit}`;
  };
  const nearest = (points, at) => {
    let low = 0, high = points.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (points[middle][0] < at) low = middle; else high = middle;
    }
    return points.length && at - points[low][0] < points[high][0] - at ? points[low] : points[high];
  };
  const show = (at) => {
    moment = Math.min(Math.max(at, 0), data.until);
    const x = data.left + (moment / data.until) * (data.right - data.left);
    for (const line of lines) {
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
      line.classList.add("shown");
    }
    const rows = [["at", `${number(moment)} s`]];
    for (const panel of data.panels) {
      for (const curve of panel.curves) {
        const point = nearest(curve.points, moment);
        if (point && (point[1] !== 0 || panel.name !== "rates")) rows.push([curve.label, shown(point[1], curve.unit)]);
      }
    }
    readout.replaceChildren(...rows.map(([name, value]) => {
      const row = document.createElement("span");
      const strong = document.createElement("b");
      strong.textContent = value;
      row.append(`${name} `, strong);
      return row;
    }));
    readout.hidden = false;
  };
  const hide = () => {
    readout.hidden = true;
    for (const line of lines) line.classList.remove("shown");
  };
  charts.addEventListener("pointermove", (event) => {
    const svg = event.target.closest("svg.chart");
    if (!svg) return;
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * data.width;
    show(((x - data.left) / (data.right - data.left)) * data.until);
  });
  charts.addEventListener("pointerleave", hide);
  charts.addEventListener("blur", hide);
  charts.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    show(moment + step * (event.shiftKey ? 10 : 1));
  });
})();
