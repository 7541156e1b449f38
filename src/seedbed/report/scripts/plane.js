// Heat maps of pairs of thresholds: one cell per pair, the chosen and the best marked; a cell leads to its pair's row.

const VIRIDIS = ["440154", "482878", "3e4989", "31688e", "26828e", "1f9e89", "35b779", "6ece58", "b5de2b", "fde725"];
const ALL_AT_ONCE = 150; // pairs; of more, one measure at a time
const EDGE = { left: 48, right: 8, top: 24, bottom: 36 };

/** Red, green and blue of a share of the way from dark to light. */
function viridis(share) {
  const at = Math.min(Math.max(share, 0), 1) * (VIRIDIS.length - 1);
  const low = Math.min(Math.floor(at), VIRIDIS.length - 2);
  const channel = (stop, from) => parseInt(VIRIDIS[stop].slice(from, from + 2), 16);
  return [0, 2, 4].map((from) =>
    Math.round(channel(low, from) + (at - low) * (channel(low + 1, from) - channel(low, from))),
  );
}

/** Place of the one highest value; -1 if several share it, or only one is known. */
function highest(values) {
  const known = values.filter((value) => value !== null);
  const most = Math.max(...known);
  return known.length > 1 && known.filter((value) => value === most).length === 1 ? values.indexOf(most) : -1;
}

/** Black or white, whichever has more contrast to a colour by WCAG's relative luminance: at least 4.5. */
function inkOn(colour) {
  const [red, green, blue] = colour.map((part) => {
    const value = part / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? "#000000" : "#ffffff";
}

function mapOf(plane, measure, chosen, width) {
  const [bgs, fgs] = [0, 1].map((axis) => [...new Set(plane.pairs.map((pair) => pair[axis]))].sort((a, b) => a - b));
  const [across, up] = [(width - EDGE.left - EDGE.right) / fgs.length, Math.min(46, Math.max(4, 260 / bgs.length))];
  const height = EDGE.top + EDGE.bottom + up * bgs.length;
  const known = measure.values.filter((value) => value !== null);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const svg = draw("svg", {
    width,
    height,
    viewBox: `0 0 ${width} ${height}`,
    role: "group",
    "aria-label": measure.title,
  });
  svg.append(draw("text", { x: EDGE.left, y: 15, "font-weight": 600 }, measure.title));
  const label = (x, y, text, anchor) => svg.append(draw("text", { x, y, "text-anchor": anchor }, text));
  const every = (size, room) => Math.max(1, Math.ceil(room / size));
  const best = measure.has_best ? highest(measure.values) : -1;
  const links = new Map();
  plane.pairs.forEach(([bg, fg], place) => {
    const [column, row] = [fgs.indexOf(fg), bgs.indexOf(bg)];
    const [x, y] = [EDGE.left + column * across, EDGE.top + (bgs.length - 1 - row) * up];
    const value = measure.values[place];
    const colour = value === null ? [128, 128, 128] : viridis(high > low ? (value - low) / (high - low) : 0.5);
    const ink = inkOn(colour);
    const marks = [place === best && "★", place === chosen && "▲", plane.cached[place] && "●"].filter(Boolean).join("");
    const words = [`bg ${bg.toFixed(2)}, fg ${fg.toFixed(2)}: ${value === null ? "undefined" : figureOf(value)}`];
    if (place === best) words.push("highest");
    if (place === chosen) words.push("chosen without masks");
    if (plane.cached[place]) words.push("has results of its own");
    const cell = draw("a", { href: `#${plane.rows[place]}`, tabindex: -1, "aria-label": words.join(", ") });
    const gap = Math.min(across, up) > 12 ? 1 : 0;
    cell.append(
      draw("rect", {
        x,
        y,
        width: across - gap,
        height: up - gap,
        "shape-rendering": "crispEdges",
        fill: `rgb(${colour.join(",")})`,
      }),
    );
    cell.append(draw("title", {}, words.join(", ")));
    const roomy = across >= 34 && up >= 26;
    const at = { x: x + across / 2, "text-anchor": "middle", style: `fill:${ink}`, "pointer-events": "none" };
    if (roomy) cell.append(draw("text", { ...at, y: y + up / 2 - 1 }, value === null ? "–" : figureOf(value)));
    if (roomy || place === best || place === chosen)
      cell.append(draw("text", { ...at, y: y + up / 2 + (roomy ? 12 : 4) }, roomy ? marks : marks.replace("●", "")));
    else if (plane.cached[place]) cell.append(draw("circle", { cx: x + across / 2, cy: y + up / 2, r: 2, fill: ink }));
    cell.addEventListener("click", (event) => {
      event.preventDefault();
      const row = document.getElementById(plane.rows[place]);
      if (row) reveal(row);
    });
    links.set(`${column},${row}`, cell);
    svg.append(cell);
  });
  fgs.forEach(
    (fg, column) =>
      column % every(across, 30) === 0 &&
      label(EDGE.left + (column + 0.5) * across, height - EDGE.bottom + 14, fg.toFixed(2), "middle"),
  );
  bgs.forEach(
    (bg, row) =>
      row % every(up, 14) === 0 &&
      label(EDGE.left - 5, EDGE.top + (bgs.length - row - 0.5) * up + 4, bg.toFixed(2), "end"),
  );
  label((EDGE.left + width) / 2, height - 6, "fg threshold", "middle");
  svg.append(
    draw(
      "text",
      { x: -(EDGE.top + (up * bgs.length) / 2), y: 11, "text-anchor": "middle", transform: "rotate(-90)" },
      "bg threshold",
    ),
  );
  walkByArrows(svg, links, [fgs.length, bgs.length]);
  return svg;
}

/** One stop of the tab key for the map; arrows go to the next cell in their direction, over holes. */
function walkByArrows(svg, links, size) {
  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  links.values().next().value.setAttribute("tabindex", 0);
  svg.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    const [from, old] = [...links].find(([, link]) => link === event.target) ?? [];
    if (!step || !from) return;
    event.preventDefault();
    let place = from.split(",").map(Number);
    do place = place.map((at, axis) => at + step[axis]);
    while (place.every((at, axis) => at >= 0 && at < size[axis]) && !links.has(place.join()));
    const next = links.get(place.join());
    if (!next) return;
    old.setAttribute("tabindex", -1);
    next.setAttribute("tabindex", 0);
    next.focus();
  });
}

function enhancePlane(figure) {
  const plane = dataOf(figure);
  const choosing = plane.measures.find((measure) => measure.chooses);
  const chosen = choosing ? highest(choosing.values) : -1;
  const shown = plane.measures.filter((measure) => measure.values.some((value) => value !== null));
  if (!shown.length) return;
  const holder = make("div", { class: "panels" });
  const options = shown.map((measure, place) => make("option", { value: place }, measure.title));
  const select = make("select", { "aria-label": "measure" }, ...options);
  const single = plane.pairs.length > ALL_AT_ONCE;
  const redraw = () => {
    const room = figure.clientWidth;
    if (!room) return;
    const across = single ? 1 : Math.max(1, Math.min(4, Math.floor(room / 300)));
    const width = Math.min(single ? 700 : 420, Math.floor(room / across) - 8);
    const measures = single ? [shown[select.value]] : shown;
    holder.replaceChildren(...measures.map((measure) => mapOf(plane, measure, chosen, width)));
  };
  select.addEventListener("change", redraw);
  if (single) figure.prepend(make("div", { class: "tools" }, select), holder);
  else figure.prepend(holder);
  drawAtEachWidth(figure, redraw);
}

for (const figure of document.querySelectorAll("figure.plane")) enhancePlane(figure);
