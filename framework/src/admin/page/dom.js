// Elements. What is shown is always text: nothing that comes from a peer is read as HTML.

const svgNames = new Set(["svg", "rect", "path", "line", "text", "title", "circle"]);
const at = (id) => document.getElementById(id);

function element(name, attributes = {}, ...children) {
  const made = svgNames.has(name)
    ? document.createElementNS("http://www.w3.org/2000/svg", name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key.startsWith("--")) made.style.setProperty(key, value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children.flat(Infinity).filter((child) => child != null));
  return made;
}

/// Touches nothing that says so already: a selection stays, and a screen reader is not told again.
function setText(where, text) {
  if (where.textContent !== text) where.textContent = text;
}

/// Puts `content` in the place of what is there, unless that is the same. Nothing in it can have the
/// focus.
function show(where, ...content) {
  const fresh = element("div", {}, ...content);
  if (fresh.innerHTML !== where.innerHTML) where.replaceChildren(...fresh.childNodes);
}
