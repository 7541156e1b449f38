// Curves as SVG: the values of all lines at one x, which the slider or the pointer chooses.

const COLOURS = 6;
const MARGIN = { left: 46, right: 10, top: 22, bottom: 34 };

const colourOf = (place) => `var(--line-${(place % COLOURS) + 1})`;
/** A run beyond the colours has a dot between long dashes for each time they were used up; a second measure has short ones. */
const dashesOf = (place, dashed) => {
  const round = Math.floor(place / COLOURS);
  const dots = Array(round).fill("1 2");
  if (dashed) return ["6 3", ...dots].join(" ");
  return round ? ["12 2", ...dots].join(" ") : null;
};

/** About five round numbers that cover an interval, and each as text with the decimals that tell it from the next. */
function ticksOf(low, high) {
  const raw = (high - low) / 5 || 1;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = unit * [1, 2, 5, 10].find((factor) => factor * unit >= raw * 0.999);
  const power = (value) => Math.floor(Math.log10(value) + 1e-9);
  const decimals = Math.max(0, -power(step));
  const largest = Math.max(Math.abs(low), Math.abs(high));
  const textOf = (tick) => {
    if (decimals < 6 || largest >= 1e-3) return (tick || 0).toFixed(decimals);
    return tick ? tick.toExponential(Math.max(0, power(largest) - power(step))) : "0";
  };
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at += 1)
    found.push([at * step, textOf(at * step)]);
  return found;
}

/** An x as it is read, with at most four decimals. */
const placeOf = (x) => String(Number(x.toFixed(4)));
/** Three decimals; three digits where that would hide a small number. */
const figureOf = (value) => (value !== 0 && Math.abs(value) < 0.01 ? value.toPrecision(3) : value.toFixed(3));

/** The point of a line nearest to x; of equals the first. */
function nearest(points, x) {
  let low = 0;
  let high = points.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (points[middle][0] <= x) low = middle;
    else high = middle;
  }
  return Math.abs(points[high][0] - x) < Math.abs(points[low][0] - x) ? points[high] : points[low];
}

/** Whether a run reaches x: between its ends, or no farther beyond one than half the way to the next point. */
function reaches(panel, { run, points }, x) {
  const ends = panel.lines.filter((line) => line.run === run && line.points.length);
  const first = Math.min(...ends.map((line) => line.points[0][0]));
  const last = Math.max(...ends.map((line) => line.points.at(-1)[0]));
  if (x >= first && x <= last) return true;
  const [end, next] = x < first ? [points[0], points[1]] : [points.at(-1), points.at(-2)];
  return next !== undefined && Math.abs(x - end[0]) <= Math.abs(next[0] - end[0]) / 2;
}

/** From a point of one panel to its place in the drawing. */
function scaleOf(panel, width, height) {
  const points = panel.lines.flatMap((line) => line.points).concat(panel.marks.map((mark) => mark.point));
  const range = (axis) => {
    let low = Infinity;
    let high = -Infinity;
    for (const point of points) {
      low = Math.min(low, point[axis]);
      high = Math.max(high, point[axis]);
    }
    return low < high ? [low, high] : [low - 0.5, high + 0.5];
  };
  const [left, right] = range(0);
  const [lowest, highest] = range(1);
  const pad = (highest - lowest) * 0.05;
  const [low, high] = [lowest - pad, highest + pad];
  return {
    left,
    right,
    low,
    high,
    x: (value) => MARGIN.left + ((value - left) / (right - left)) * (width - MARGIN.left - MARGIN.right),
    y: (value) => height - MARGIN.bottom - ((value - low) / (high - low)) * (height - MARGIN.top - MARGIN.bottom),
    inverse: (at) => left + ((at - MARGIN.left) / (width - MARGIN.left - MARGIN.right)) * (right - left),
  };
}

function axesOf(panel, scale, width, height) {
  const group = draw("g", { class: "axes" });
  for (const [tick, text] of ticksOf(scale.low, scale.high)) {
    const y = scale.y(tick);
    group.append(draw("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: y, y2: y }));
    group.append(draw("text", { x: MARGIN.left - 5, y: y + 4, "text-anchor": "end" }, text));
  }
  for (const [tick, text] of ticksOf(scale.left, scale.right)) {
    const at = { x: scale.x(tick), y: height - MARGIN.bottom + 15, "text-anchor": "middle" };
    group.append(draw("text", at, text));
  }
  group.append(draw("text", { x: width / 2, y: height - 4, "text-anchor": "middle" }, panel.x));
  group.append(draw("text", { x: MARGIN.left, y: 14, class: "title" }, panel.title || panel.y));
  return group;
}

function markOf(mark, scale, colour) {
  const [x, y] = [scale.x(mark.point[0]), scale.y(mark.point[1])];
  const title = draw(
    "title",
    {},
    `${mark.run}: ${mark.meaning} ${placeOf(mark.point[0])}, ${mark.point[1].toFixed(3)}`,
  );
  if (mark.shape === "circle") return draw("circle", { cx: x, cy: y, r: 4.5, fill: colour }, title);
  const corner = (at) => {
    const [angle, radius] = [(Math.PI * at) / 5, at % 2 ? 3.2 : 8];
    return `${x + radius * Math.sin(angle)},${y - radius * Math.cos(angle)}`;
  };
  const corners = Array.from({ length: 10 }, (_, at) => corner(at)).join(" ");
  return draw("polygon", { points: corners, fill: colour, stroke: "var(--paper)" }, title);
}

/** One panel; `show(x)` moves its cross-hair and gives the nearest points of the lines that are not faint. */
function panelOf(panel, runs, width, height, chosen) {
  const scale = scaleOf(panel, width, height);
  const svg = draw("svg", {
    width,
    height,
    viewBox: `0 0 ${width} ${height}`,
    role: "img",
    "aria-label": panel.title || panel.y,
  });
  svg.append(axesOf(panel, scale, width, height));
  for (const [run, x] of panel.verticals) {
    const at = { x1: scale.x(x), x2: scale.x(x), y1: MARGIN.top, y2: height - MARGIN.bottom };
    svg.append(draw("line", { ...at, stroke: colourOf(runs.indexOf(run)), "stroke-dasharray": "1 3" }));
  }
  for (const line of panel.lines.toSorted((a, b) => b.faint - a.faint)) {
    const place = runs.indexOf(line.run);
    const points = line.points.map(([x, y]) => `${scale.x(x).toFixed(1)},${scale.y(y).toFixed(1)}`).join(" ");
    const look = {
      stroke: colourOf(place),
      "stroke-dasharray": dashesOf(place, line.dashed),
      class: line.faint ? "faint" : "line",
    };
    svg.append(draw("polyline", { points, "data-run": line.run, ...look }));
    if (!line.faint && line.points.length === 1)
      svg.append(
        markOf({ run: line.run, point: line.points[0], shape: "circle", meaning: "" }, scale, colourOf(place)),
      );
  }
  for (const mark of panel.marks) svg.append(markOf(mark, scale, colourOf(runs.indexOf(mark.run))));
  const hair = draw("line", { class: "hair", y1: MARGIN.top, y2: height - MARGIN.bottom });
  const dots = draw("g");
  svg.append(hair, dots);
  svg.addEventListener("pointermove", (event) =>
    chosen(scale.inverse(event.clientX - svg.getBoundingClientRect().left)),
  );
  const show = (x) => {
    const at = scale.x(Math.min(scale.right, Math.max(scale.left, x)));
    hair.setAttribute("x1", at);
    hair.setAttribute("x2", at);
    const found = panel.lines
      .filter((line) => !line.faint && line.points.length && reaches(panel, line, x))
      .map((line) => [line, nearest(line.points, x)]);
    dots.replaceChildren(
      ...found.map(([line, point]) =>
        draw("circle", { cx: scale.x(point[0]), cy: scale.y(point[1]), r: 3, fill: colourOf(runs.indexOf(line.run)) }),
      ),
    );
    return found;
  };
  return { svg, show };
}

function swatch(place, dashed) {
  return draw(
    "svg",
    { width: 22, height: 10, "aria-hidden": "true" },
    draw("line", {
      x1: 0,
      x2: 22,
      y1: 5,
      y2: 5,
      "stroke-width": 2.5,
      stroke: colourOf(place),
      "stroke-dasharray": dashesOf(place, dashed),
    }),
  );
}

function enhanceChart(figure) {
  const { panels } = dataOf(figure);
  const runs = [...new Set(panels.flatMap((panel) => panel.lines.map((line) => line.run)))];
  const xs = [
    ...new Set(
      panels.flatMap((panel) =>
        panel.lines.filter((line) => !line.faint).flatMap((line) => line.points.map(([x]) => x)),
      ),
    ),
  ].sort((a, b) => a - b);
  if (!xs.length) return;
  const fixed = panels.flatMap((panel) => panel.marks).find((mark) => mark.shape === "circle");
  const slider = make("input", { type: "range", min: 0, max: xs.length - 1, "aria-label": panels[0].x });
  const begin = panels.length > 1 ? xs.length - 1 : xs.length >> 1;
  slider.value = fixed ? xs.findIndex((x) => x >= fixed.point[0]) : begin;
  const reading = make("output");
  const holder = make("div", { class: "panels" });
  const legend = make("div", { class: "wide" });
  let drawn = [];

  const readings = make("tbody");
  const head = panels.map((panel) => make("th", { class: "n" }, panel.title || panel.y));
  legend.append(
    make("table", { class: "readings" }, make("thead", {}, make("tr", {}, make("th", {}, "line"), ...head)), readings),
  );
  const rows = new Map();
  for (const line of panels.flatMap((panel) => panel.lines)) {
    const key = `${line.run}\n${line.label}`;
    if (line.faint || rows.has(key)) continue;
    const cells = panels.map(() => make("td", { class: "n" }));
    const row = make(
      "tr",
      {},
      make(
        "td",
        {},
        swatch(runs.indexOf(line.run), line.dashed),
        ` ${[line.run, line.label].filter(Boolean).join(", ")}`,
      ),
      ...cells,
    );
    const emphasise = (on) => {
      for (const other of holder.querySelectorAll("polyline"))
        other.classList.toggle("behind", on && other.dataset.run !== line.run);
    };
    row.addEventListener("pointerenter", () => emphasise(true));
    row.addEventListener("pointerleave", () => emphasise(false));
    rows.set(key, cells);
    readings.append(row);
  }

  const show = () => {
    const x = xs[slider.value];
    reading.textContent = placeOf(x);
    slider.setAttribute("aria-valuetext", placeOf(x));
    drawn.forEach(({ show }, column) => {
      for (const cells of rows.values()) cells[column].textContent = "";
      for (const [line, point] of show(x))
        rows.get(`${line.run}\n${line.label}`)[column].textContent = figureOf(point[1]);
    });
  };
  const choose = (x) => {
    const at = xs.findIndex((other) => other >= x);
    const after = at < 0 ? xs.length - 1 : at;
    slider.value = after > 0 && x - xs[after - 1] < xs[after] - x ? after - 1 : after;
    show();
  };
  slider.addEventListener("input", show);
  const redraw = () => {
    const room = figure.clientWidth;
    if (!room) return;
    const across = Math.min(panels.length, room > 900 ? 3 : room > 560 ? 2 : 1);
    const width = Math.min(panels.length === 1 ? 760 : Infinity, Math.floor(room / across) - 8);
    drawn = panels.map((panel) =>
      panelOf(panel, runs, width, panels.length === 1 ? Math.min(360, width * 0.7) : 210, choose),
    );
    holder.replaceChildren(...drawn.map(({ svg }) => svg));
    show();
  };
  figure.prepend(
    holder,
    make("div", { class: "tools" }, make("label", {}, `${panels[0].x} `, slider), reading),
    legend,
  );
  drawAtEachWidth(figure, redraw);
}

for (const figure of document.querySelectorAll("figure.chart")) enhanceChart(figure);
