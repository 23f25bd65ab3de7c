(() => {
  "use strict";
  const value = (cell) => {
    if (!cell.classList.contains("number")) return cell.textContent.trim().toLowerCase();
    return cell.dataset.order === undefined ? NaN : Number(cell.dataset.order);
  };
  const compare = (a, b, sign) => {
    if (typeof a === "string") return sign * a.localeCompare(b, "en", { numeric: true });
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
    return sign * (a - b);
  };
  const heads = (table) => [...table.tHead.rows].at(-1).cells;
  const sort = (table, column, head) => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of heads(table)) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [value(row.cells[column]), row]);
    rows.sort((a, b) => compare(a[0], b[0], down ? -1 : 1));
    body.classList.add("sorted");
    body.append(...rows.map((pair) => pair[1]));
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    [...heads(table)].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => sort(table, column, head));
    });
  }
  const form = document.getElementById("filters");
  const matches = (element, name, wanted) => {
    const own = element.dataset[name];
    return !wanted || !own || own === wanted;
  };
  const filter = () => {
    const wanted = Object.fromEntries(new FormData(form));
    let rows = 0;
    for (const row of document.querySelectorAll("tr[data-variable]")) {
      row.hidden = !matches(row, "variable", wanted.variable);
      rows += !row.hidden;
    }
    for (const block of document.querySelectorAll(".block")) {
      block.hidden = !["variable", "protocol", "strata"].every((name) => matches(block, name, wanted[name]));
    }
    if (wanted.protocol || wanted.strata) {
      document.querySelectorAll(".block:not([hidden]) > details").forEach((part) => { part.open = true; });
    }
    const chosen = Object.values(wanted).some(Boolean);
    form.querySelector("output").textContent = chosen ? `${rows} rows shown` : "";
  };
  form.addEventListener("change", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => { part.open = true; }));
  form.hidden = false;
  filter();
})();
