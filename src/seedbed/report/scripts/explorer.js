// The explorer: an image, a node's scores, and sliders for the thresholds; see decide.js for what they mean.

const STRIPE = 3;
const rgbOf = (hex) => [1, 3, 5].map((from) => parseInt(hex.slice(from, from + 2), 16));

/** A heat map's pixel: from black over red and yellow to white. */
function heat(code) {
  const at = (code / 255) * 3;
  return [at, at - 1, at - 2].map((part) => Math.round(255 * Math.min(Math.max(part, 0), 1)));
}

/** Paint a grid over the photograph; `colour(value, x, y)` gives red, green, blue and alpha. */
function paint(canvas, photo, values, [height, width], colour) {
  canvas.width = photo.naturalWidth;
  canvas.height = photo.naturalHeight;
  const context = canvas.getContext("2d");
  context.drawImage(photo, 0, 0);
  if (!values) return;
  const grid = make("canvas", { width, height });
  const image = new ImageData(width, height);
  values.forEach((value, at) => image.data.set(colour(value, at % width, Math.floor(at / width)), 4 * at));
  grid.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(grid, 0, 0, canvas.width, canvas.height);
}

function enhanceExplorer(block) {
  const data = dataOf(block);
  const colours = new Map(data.classes.map(([, colour], place) => [place + 1, rgbOf(colour)]));
  const nameOf = (label) => (label === 0 ? "background" : label === NEUTRAL ? "neutral" : data.classes[label - 1][0]);
  const labelColour = (label, x, y) => {
    if (label === 0) return [0, 0, 0, 140];
    if (label === NEUTRAL) return Math.floor((x + y) / STRIPE) % 2 ? [255, 255, 255, 255] : [205, 205, 205, 150];
    return [...(colours.get(label) ?? [255, 255, 255]), 165];
  };

  const loading = new Map();
  /** What an image needs: the largest scores of a node, all scores, and the truth. */
  const load = (place, node) => {
    const key = `${place} ${node}`;
    if (!loading.has(key)) {
      const image = data.images[place];
      const [height, width] = image.size;
      const unpack = (text) => (text ? unpacked(text, width) : null);
      loading.set(
        key,
        Promise.all([unpack(image.codes[node]), unpack(image.truth)]).then(([codes, truth]) => ({
          image,
          codes,
          truth,
          scores: strongest(codes ?? [], codes ? image.class_ids[node] : [], height * width),
        })),
      );
    }
    return loading.get(key);
  };

  const choice = (label, names) =>
    make("select", { "aria-label": label }, ...names.map((name, value) => make("option", { value }, name)));
  const images = choice(
    "image",
    data.images.map((image) => `${image.image_id} (${image.split}): ${image.labels.join(", ") || "no class"}`),
  );
  const nodes = choice(
    "scores",
    data.nodes.map((node) => node.name),
  );
  const classes = make("select", { "aria-label": "class of the heat map" });
  const pairs = choice(
    "pairs of the page",
    data.pairs.map(([bg, fg]) => `bg${bg.toFixed(2)}-fg${fg.toFixed(2)}`),
  );
  pairs.prepend(make("option", { value: "", selected: true }, "a pair of this page"));
  const slider = (name) => {
    const input = make("input", { type: "range", min: 0, max: 1, step: 0.01, "aria-label": name });
    const reading = make("output");
    return { input, reading, label: make("label", {}, `${name} `, input, " ", reading) };
  };
  const [bg, fg, background] = ["background threshold", "foreground threshold", "background score"].map(slider);

  const panel = (title) => {
    const [canvas, caption] = [make("canvas", { role: "img" }), make("figcaption")];
    return { title, canvas, caption, figure: make("figure", {}, make("b", {}, title), canvas, caption) };
  };
  const panels = ["photograph", "scores", "confident regions", "pseudo mask", "truth"].map(panel);
  const [photoPanel, heatPanel, regionPanel, maskPanel, truthPanel] = panels;
  const key = make("p", { class: "legend" });
  const values = make("tbody");
  const headings = ["", "mIoU", "foreground", "background", "neutral"].map((name, column) =>
    make("th", { class: column ? "n" : null }, name),
  );
  const areas = make("th", {}, "area by class");
  const table = make("table", {}, make("thead", {}, make("tr", {}, ...headings, areas)), values);

  const photos = new Map();
  const photoOf = async (image) => {
    if (!photos.has(image)) {
      const photo = make("img", { src: `data:image/jpeg;base64,${image.photo}`, alt: "" });
      photos.set(
        image,
        photo.decode().then(() => photo),
      );
    }
    return photos.get(image);
  };

  const rowOf = (name, labelMap, truth) => {
    const { pixels, mean_iou: iou } = valuesOf(labelMap, truth);
    const share = (label) => (pixels[label] ?? 0) / labelMap.length;
    const others = Object.keys(pixels)
      .map(Number)
      .filter((label) => label !== 0 && label !== NEUTRAL);
    const foreground = others.reduce((sum, label) => sum + pixels[label], 0) / labelMap.length;
    const cells = [iou, foreground, share(0), share(NEUTRAL)].map((value) =>
      make("td", { class: "n" }, value === null ? "–" : value.toFixed(3)),
    );
    const text = others.map((label) => `${nameOf(label)} ${share(label).toFixed(3)}`).join(", ") || "none";
    return make("tr", {}, make("th", {}, name), ...cells, make("td", {}, text));
  };

  let current = null;
  const decide = () => {
    const { loaded, photo } = current;
    const { image, scores, truth } = loaded;
    for (const { input, reading } of [bg, fg, background]) reading.textContent = Number(input.value).toFixed(2);
    const regions = regionsOf(scores, Number(bg.input.value), Number(fg.input.value));
    const mask = maskOf(scores, Number(background.input.value));
    paint(regionPanel.canvas, photo, regions, image.size, labelColour);
    paint(maskPanel.canvas, photo, mask, image.size, labelColour);
    const rows = [rowOf("confident regions", regions, truth), rowOf("pseudo mask", mask, truth)];
    if (truth) rows.push(rowOf("truth (neutral: no label)", truth, null));
    values.replaceChildren(...rows);
  };
  const showHeat = () => {
    const { loaded, photo } = current;
    const { image, codes, scores } = loaded;
    const pixels = image.size[0] * image.size[1];
    const shown =
      classes.value === "" || !codes
        ? scores.highest
        : codes.subarray(classes.value * pixels, (Number(classes.value) + 1) * pixels);
    paint(heatPanel.canvas, photo, shown, image.size, (code) => [...heat(code), 170]);
  };
  /** The colours of the classes that an image has, by its scores or its truth, and those of the scores. */
  const showKey = ({ image, truth }, node) => {
    const square = (name, look) => make("span", {}, make("i", look), name);
    const there = new Set([...image.class_ids[node], ...(truth ?? [])]);
    const names = data.classes
      .map(([name, colour], place) => there.has(place + 1) && square(name, { style: `background:${colour}` }))
      .filter(Boolean);
    key.replaceChildren(
      ...names,
      square("background", { style: "background:#000000" }),
      square("neutral", { class: "neutral" }),
      make("span", {}, "scores: 0 ", make("i", { class: "heat" }), "1"),
    );
  };
  /** Show another image or node; the last one asked for wins. */
  let asked = 0;
  const show = async () => {
    const own = ++asked;
    const [place, node] = [Number(images.value), Number(nodes.value)];
    const loaded = await load(place, node);
    const photo = await photoOf(loaded.image);
    if (own !== asked) return;
    current = { loaded, photo };
    const { image, codes, truth } = loaded;
    const names = codes ? image.scored[node].map((c, k) => make("option", { value: k }, data.label_classes[c])) : [];
    classes.replaceChildren(make("option", { value: "" }, "largest of the classes"), ...names);
    paint(photoPanel.canvas, photo, null, image.size, null);
    photoPanel.caption.textContent = `${image.image_id}: ${image.labels.join(", ") || "no class"}`;
    for (const { title, canvas } of panels) canvas.setAttribute("aria-label", `${title} of ${image.image_id}`);
    showKey(loaded, node);
    truthPanel.figure.hidden = !truth;
    if (truth) paint(truthPanel.canvas, photo, truth, image.size, labelColour);
    showHeat();
    decide();
  };
  /** Set the sliders to where they begin for the chosen node. */
  const start = () => {
    pairs.value = "";
    const node = data.nodes[nodes.value];
    [bg.input.value, fg.input.value, background.input.value] = [
      node.bg_threshold,
      node.fg_threshold,
      node.background_score,
    ];
  };

  bg.input.addEventListener("input", () => {
    if (Number(fg.input.value) < Number(bg.input.value)) fg.input.value = bg.input.value;
    decide();
  });
  fg.input.addEventListener("input", () => {
    if (Number(bg.input.value) > Number(fg.input.value)) bg.input.value = fg.input.value;
    decide();
  });
  background.input.addEventListener("input", decide);
  pairs.addEventListener("change", () => {
    if (pairs.value === "") return;
    [bg.input.value, fg.input.value] = data.pairs[pairs.value];
    decide();
  });
  images.addEventListener("change", show);
  classes.addEventListener("change", showHeat);
  nodes.addEventListener("change", () => {
    start();
    show();
  });
  const step = (by) => {
    images.value = (Number(images.value) + by + data.images.length) % data.images.length;
    show();
  };
  const previous = make("button", { type: "button", "aria-label": "previous image", onclick: () => step(-1) }, "←");
  const next = make("button", { type: "button", "aria-label": "next image", onclick: () => step(1) }, "→");
  heatPanel.caption.append(classes);
  block.append(
    make("div", { class: "tools" }, images, previous, next, nodes),
    make("div", { class: "tools" }, bg.label, fg.label, pairs, background.label),
    make("div", { class: "panels" }, ...panels.map(({ figure }) => figure)),
    key,
    make("div", { class: "wide" }, table),
  );
  start();

  // for tests: what decide.js says of an image and a node at some thresholds
  block.valuesAt = async (place, node, bgThreshold, fgThreshold, backgroundScore) => {
    const { scores, truth } = await load(place, node);
    return {
      regions: valuesOf(regionsOf(scores, bgThreshold, fgThreshold), truth),
      mask: valuesOf(maskOf(scores, backgroundScore), truth),
    };
  };
  new IntersectionObserver(
    (entries, observer) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      show();
    },
    { rootMargin: "600px" },
  ).observe(block);
}

for (const block of document.querySelectorAll(".explorer")) enhanceExplorer(block);
