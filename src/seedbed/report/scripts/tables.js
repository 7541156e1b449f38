// Tables: sort by a heading, keep the rows that hold some words, download as CSV, and on a narrow screen the node and
// its score first.

const NARROW = matchMedia("(max-width: 600px)");
const collator = new Intl.Collator("en", { numeric: true });

/** The number that a cell begins with, of "0.51 ± 0.02" the mean; NaN if there is none. */
function leadingNumber(text) {
  return parseFloat(text.trim().replace("−", "-"));
}

/** Below 0 if the first cell belongs before the second, by number where a column holds figures. */
function compareCells(first, second, areFigures) {
  return areFigures ? leadingNumber(first) - leadingNumber(second) : collator.compare(first, second);
}

function isMissing(text, areFigures) {
  return areFigures ? Number.isNaN(leadingNumber(text)) : ["", "–"].includes(text.trim());
}

function csvOf(table) {
  const quote = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = [...table.rows].filter((row) => !row.hidden);
  return lines.map((row) => [...row.cells].map((cell) => quote(cell.textContent.trim())).join(",") + "\n").join("");
}

const fileNames = new Set();
/** A name for a table's file, which no other table of the page has. */
function fileNameOf(title) {
  const stem = title
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]+/gu, "-")
    .replaceAll(/^-|-$/g, "");
  let name = `${stem}.csv`;
  for (let number = 2; fileNames.has(name); number += 1) name = `${stem}-${number}.csv`;
  fileNames.add(name);
  return name;
}

function download(name, text) {
  const link = make("a", { download: name, href: URL.createObjectURL(new Blob([text], { type: "text/csv" })) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function enhanceTable(table) {
  const body = table.tBodies[0];
  const original = [...body.rows];
  const headings = [...table.tHead.rows[0].cells];

  const sortBy = (heading) => {
    const figures = heading.classList.contains("n");
    const [first, then] = figures ? ["descending", "ascending"] : ["ascending", "descending"];
    const before = heading.getAttribute("aria-sort");
    const order = before === first ? then : before === then ? "none" : first;
    for (const other of headings) other.setAttribute("aria-sort", other === heading ? order : "none");
    if (order === "none") {
      body.append(...original);
      return;
    }
    const sign = order === "ascending" ? 1 : -1;
    const texts = new Map(original.map((row) => [row, row.cells[heading.cellIndex].textContent]));
    const known = original.filter((row) => !isMissing(texts.get(row), figures));
    known.sort((a, b) => sign * compareCells(texts.get(a), texts.get(b), figures));
    body.append(...known, ...original.filter((row) => isMissing(texts.get(row), figures)));
  };
  for (const heading of headings) {
    const button = make("button", { type: "button", onclick: () => sortBy(heading) }, ...heading.childNodes);
    heading.replaceChildren(button);
    heading.setAttribute("aria-sort", "none");
  }

  const count = make("span", { role: "status" });
  const search = make("input", {
    type: "search",
    placeholder: "filter rows",
    "aria-label": "keep rows with these words",
  });
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of original) {
      const text = [...row.cells].map((cell) => cell.textContent.toLowerCase()).join("\n");
      row.hidden = !words.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    count.textContent = words.length ? `${shown} of ${original.length} rows` : "";
  };
  search.addEventListener("input", filter);
  table.addEventListener("reveal", (event) => {
    if (event.target.hidden) {
      search.value = "";
      filter();
    }
  });
  const file = fileNameOf(table.dataset.name);
  const save = () => download(file, csvOf(table));
  const csv = make("button", { type: "button", title: "the rows shown, in their order", onclick: save }, "CSV");
  table.parentElement.before(make("div", { class: "tools" }, ...(original.length > 1 ? [search] : []), csv, count));

  if (table.dataset.leading) {
    const columns = headings.map((_, column) => column);
    const leading = table.dataset.leading.split(" ").map(Number);
    const narrow = [...leading, ...columns.filter((column) => !leading.includes(column))];
    const cells = [table.tHead.rows[0], ...original].map((row) => [row, [...row.cells]]);
    const arrange = () => {
      const order = NARROW.matches ? narrow : columns;
      for (const [row, own] of cells) row.append(...order.map((column) => own[column]));
    };
    NARROW.addEventListener("change", arrange);
    if (NARROW.matches) arrange();
  }
}

for (const table of document.querySelectorAll("table.sortable")) enhanceTable(table);
