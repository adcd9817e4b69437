"use strict";
// A press on a column's name sorts by it, a second one the other way round; unknown values stay last.
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const head = button.parentElement;
    const table = head.closest("table");
    const column = [...head.parentElement.children].indexOf(head);
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentElement.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const known = (row) => row.children[column].textContent !== "n/a";
    const value = (row) => {
      const cell = row.children[column];
      return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
    };
    const rows = [...table.tBodies[0].rows];
    rows.sort((left, right) => {
      if (known(left) !== known(right)) return known(left) ? -1 : 1;
      const [a, b] = [value(left), value(right)];
      const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
      return down ? -order : order;
    });
    table.tBodies[0].append(...rows);
  });
}
// Charts follow the scheme; on a narrow screen their panels stand one above the other and the legend below them.
const narrow = window.matchMedia("(max-width: 40rem)");
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const templates = JSON.parse(document.getElementById("templates").textContent);
const PANEL = 230, GAP = 90, ENTRY = 24; // pixels
const wide = new Map(); // chart → the layout that it came with
const stacked = (layout, entries) => {
  const panels = Object.keys(layout).filter((key) => /^xaxis\d*$/.test(key));
  const names = panels.map((key) => key.slice("xaxis".length));
  const all = panels.length * (PANEL + GAP) - GAP;
  const top = (place) => 1 - (place * (PANEL + GAP)) / all;
  const change = {
    height: all + 120 + ENTRY * Math.ceil(entries / 2), dragmode: false, "margin.t": 40, "margin.l": 10, "margin.r": 10,
    "legend.orientation": "h", "legend.x": 0, "legend.xanchor": "left", "legend.y": 0, "legend.yref": "container",
    "legend.yanchor": "bottom",
  };
  if (panels.length === 1) return change;
  names.forEach((name, place) => {
    change[`xaxis${name}.domain`] = [0, 1];
    change[`yaxis${name}.domain`] = [top(place) - PANEL / all, top(place)];
    const other = layout[`yaxis${name}`].matches;
    if (other === undefined) return;
    change[`yaxis${name}.showticklabels`] = true;
    change[`yaxis${name}.title.text`] = layout[other.replace("y", "yaxis")].title?.text ?? "";
  });
  (layout.annotations ?? []).forEach((note, index) => {
    if (note.xref !== "paper" || note.yref !== "paper") return;
    const far = (name) => {
      const [x, y] = [layout[`xaxis${name}`].domain, layout[`yaxis${name}`].domain];
      return Math.abs(note.x - (x[0] + x[1]) / 2) + Math.abs(note.y - y[1]);
    };
    const place = names.indexOf([...names].sort((one, two) => far(one) - far(two))[0]);
    change[`annotations[${index}].x`] = 0.5;
    change[`annotations[${index}].y`] = top(place);
  });
  return change;
};
const at = (layout, path) => path.match(/[^.[\]]+/g).reduce((part, key) => part?.[key], layout) ?? null;
const fit = () => {
  for (const chart of document.querySelectorAll(".js-plotly-plot")) {
    if (!wide.has(chart)) wide.set(chart, structuredClone(chart.layout));
    const layout = wide.get(chart);
    const change = stacked(layout, chart.data.filter((one) => one.showlegend !== false).length);
    if (!narrow.matches) for (const key of Object.keys(change)) change[key] = at(layout, key);
    for (const box of [chart.parentElement, chart]) box.style.height = `${change.height}px`;
    Plotly.relayout(chart, { ...change, template: templates[dark.matches ? "dark" : "light"] });
  }
};
narrow.addEventListener("change", fit);
dark.addEventListener("change", fit);
fit();
