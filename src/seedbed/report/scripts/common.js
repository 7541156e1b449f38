// What the other scripts share. The page is whole without them; they add to it.

const SVG = (() => {
  const holder = document.createElement("template");
  holder.innerHTML = "<svg></svg>";
  return holder.content.firstChild.namespaceURI;
})();

/** An element with attributes and children; text is never read as HTML. */
function make(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same of SVG. */
function draw(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** The data that a block brings with it. */
function dataOf(block) {
  return JSON.parse(block.querySelector(":scope > script[type='application/json']").textContent);
}

/** Show an element that a table's filter or a closed block may hide, and mark it. */
function reveal(target) {
  for (let above = target; above; above = above.parentElement) {
    if (above.tagName === "DETAILS") above.open = true;
  }
  target.dispatchEvent(new CustomEvent("reveal", { bubbles: true }));
  for (const old of document.querySelectorAll(".found")) old.classList.remove("found");
  target.classList.add("found");
  target.tabIndex = -1;
  target.scrollIntoView({ block: "center", behavior: "instant" });
  target.focus({ preventScroll: true });
}

/** Draw a figure now, and again whenever it has become wider or narrower. */
function drawAtEachWidth(figure, redraw) {
  let before = figure.clientWidth;
  redraw();
  new ResizeObserver(() => {
    if (figure.clientWidth !== before) redraw();
    before = figure.clientWidth;
  }).observe(figure);
}
