// Sample pictures: how opaque they lie over the photograph, which columns are shown, the worst images first, another
// class's heat map, and one picture with its photograph and the truth, enlarged.

const linesOf = (body) => [...body.rows].filter((row) => !row.classList.contains("chain"));
const shownIn = (stack) => stack.querySelector("img.over:not([hidden])");

const dialog = (() => {
  let stacks = [];
  let place = 0;
  const pictures = make("div", { class: "pictures" });
  const caption = make("p", { role: "status" });
  const step = (by) => {
    place = (place + by + stacks.length) % stacks.length;
    show();
  };
  const opacity = make("input", {
    type: "range",
    min: 0,
    max: 100,
    value: 100,
    "aria-label": "opacity of the overlay",
  });
  opacity.addEventListener("input", () => element.style.setProperty("--over", opacity.value / 100));
  const tools = make(
    "div",
    { class: "tools" },
    make("button", { type: "button", onclick: () => step(-1) }, "← previous"),
    make("button", { type: "button", onclick: () => step(1) }, "next →"),
    make("label", {}, "overlay ", opacity),
    make("button", { type: "button", onclick: () => element.close() }, "close"),
  );
  const element = make("dialog", { class: "enlarged", "aria-label": "enlarged pictures" }, tools, pictures, caption);
  element.addEventListener("keydown", (event) => {
    if (event.target !== opacity && event.key === "ArrowLeft") step(-1);
    if (event.target !== opacity && event.key === "ArrowRight") step(1);
  });
  element.addEventListener("click", (event) => event.target === element && element.close());
  document.body.append(element);

  function show() {
    const cell = stacks[place].closest("td");
    const body = cell.closest("tbody");
    const heading = body.parentElement.tHead.rows[0].cells[cell.cellIndex].textContent;
    const photo = body.querySelector("img.photo");
    const last = body.parentElement.tHead.rows[0].cells.length - 1;
    const isTruth = (at) => body.parentElement.tHead.rows[0].cells[at].textContent === "truth";
    const truth = isTruth(last) ? linesOf(body)[0].cells[last].querySelector("img.over") : null;
    const over = stacks[place].querySelector("img.photo") ?? shownIn(stacks[place]);
    const figure = (title, ...images) =>
      make("figure", {}, make("div", { class: "stack" }, ...images), make("figcaption", {}, title));
    const copy = (image, name) => make("img", { src: image.src, alt: image.alt, class: name });
    const shown = [figure("photograph", copy(photo, ""))];
    const below = stacks[place].closest(".gallery").dataset.fades === "true" ? [copy(photo, "under")] : [];
    if (over !== photo)
      shown.push(figure([heading, over.alt].filter(Boolean).join(": "), ...below, copy(over, "over")));
    if (truth && truth !== over) shown.push(figure(`truth: ${truth.alt}`, copy(photo, "under"), copy(truth, "over")));
    pictures.replaceChildren(...shown);
    const iou = cell.dataset.iou ? `, mIoU ${Number(cell.dataset.iou).toFixed(3)}` : "";
    caption.textContent = `${photo.alt}${iou}`;
  }
  return (stack, all) => {
    stacks = all;
    place = all.indexOf(stack);
    show();
    element.showModal();
  };
})();

/** The photograph below each picture of an image, so that the picture can be faded. */
function layPhotographs(body) {
  const photo = body.querySelector("img.photo");
  for (const stack of body.querySelectorAll(".stack")) {
    if (shownIn(stack) && !stack.querySelector(".under"))
      stack.prepend(make("img", { class: "under", alt: "", src: photo.src }));
  }
}

/** A slider for how opaque pictures lie over the photograph; images out of sight follow when they come into it. */
function fader(gallery) {
  const slider = make("input", {
    type: "range",
    min: 0,
    max: 100,
    value: 100,
    "aria-label": "opacity of the pictures over the photograph",
  });
  const inSight = new Set();
  const fade = (body) => {
    if (slider.value < 100) layPhotographs(body);
    body.style.setProperty("--over", slider.value / 100);
  };
  const observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) inSight.add(target);
      else inSight.delete(target);
      if (isIntersecting) fade(target);
    }
  });
  for (const body of gallery.querySelectorAll("tbody")) observer.observe(body);
  slider.addEventListener("input", () => inSight.forEach(fade));
  return make("label", {}, "overlay ", slider);
}

function nameAfterPicture(stack) {
  stack.setAttribute("aria-label", `enlarge ${(shownIn(stack) ?? stack.querySelector("img")).alt}`);
}

/** A choice of class where a cell has heat maps of several. */
function chooseClass(stack) {
  const images = [...stack.querySelectorAll("img.over")];
  if (images.length < 2) return;
  const caption = stack.nextElementSibling.querySelector("span");
  const prefix = caption.textContent.slice(0, -images[0].dataset.name.length);
  const options = images.map((image, at) => make("option", { value: at }, image.dataset.name));
  const select = make("select", { "aria-label": "class of the heat map" }, ...options);
  select.addEventListener("change", () => {
    images.forEach((image, at) => (image.hidden = at !== Number(select.value)));
    nameAfterPicture(stack);
  });
  caption.replaceChildren(prefix, select);
}

function orders(gallery, headings) {
  const table = gallery.querySelector("table");
  const bodies = [...table.tBodies];
  const worst = (body, column) => {
    const found = linesOf(body)
      .map((row) => row.cells[column]?.dataset.iou)
      .filter((iou) => iou !== undefined);
    return found.length ? Math.min(...found.map(Number)) : Infinity;
  };
  const judged = headings
    .map((_, column) => column)
    .filter((column) => bodies.some((body) => worst(body, column) < Infinity));
  const options = judged.map((column) => make("option", { value: column }, `worst ${headings[column]} first`));
  const select = make(
    "select",
    { "aria-label": "order of the images" },
    make("option", { value: "" }, "in the page's order"),
    ...options,
  );
  select.addEventListener("change", () => {
    const column = Number(select.value);
    const ordered = select.value === "" ? bodies : [...bodies].sort((a, b) => worst(a, column) - worst(b, column) || 0);
    table.append(...ordered);
  });
  return options.length ? [select] : [];
}

function columnChoice(gallery, headings) {
  const table = gallery.querySelector("table");
  const boxes = headings.map((heading, column) => {
    const box = make("input", { type: "checkbox", checked: true });
    box.addEventListener("change", () => {
      table.tHead.rows[0].cells[column].hidden = !box.checked;
      for (const body of table.tBodies) {
        for (const row of linesOf(body)) row.cells[column].hidden = !box.checked;
      }
    });
    return make("label", {}, box, ` ${heading}`);
  });
  return make("details", {}, make("summary", {}, "columns"), make("div", {}, ...boxes));
}

function enhanceGallery(gallery) {
  const headings = [...gallery.querySelectorAll("thead th")].map((cell) => cell.textContent);
  const tools = [
    ...(gallery.dataset.fades === "false" ? [] : [fader(gallery)]),
    ...orders(gallery, headings),
    columnChoice(gallery, headings),
  ];
  gallery.querySelector(".wide").before(make("div", { class: "tools" }, ...tools));
  for (const stack of gallery.querySelectorAll(".stack")) {
    chooseClass(stack);
    stack.tabIndex = 0;
    stack.setAttribute("role", "button");
    nameAfterPicture(stack);
    const open = () => dialog(stack, [...gallery.querySelectorAll("td:not([hidden]) .stack")]);
    stack.addEventListener("click", open);
    stack.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      open();
    });
  }
}

for (const gallery of document.querySelectorAll(".gallery")) enhanceGallery(gallery);
