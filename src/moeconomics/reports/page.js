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
// On a narrow screen the legend goes below the figure, which else has no room.
const narrow = window.matchMedia("(max-width: 40rem)");
const titles = new Map();
const fit = () => {
  for (const chart of document.querySelectorAll(".js-plotly-plot")) {
    if (!titles.has(chart)) titles.set(chart, chart.layout.title.text);
    // The caption says what a title too long for the screen would say.
    Plotly.relayout(chart, narrow.matches
      ? { "legend.orientation": "h", "legend.y": -0.3, "legend.x": 0, "title.text": "", "margin.l": 55, "margin.r": 10 }
      : { "legend.orientation": "v", "legend.y": 1, "legend.x": 1.02, "title.text": titles.get(chart), "margin.l": 80,
          "margin.r": 80 });
  }
};
narrow.addEventListener("change", fit);
fit();
