// Numbers for people: three significant digits, a unit, thousands apart.

const thin = "\u202f"; // between a number and its unit
const dash = "\u2013";
const none = dash;

const format = {
  number(value, digits = 3) {
    if (value == null || !isFinite(value)) return none;
    if (value === 0) return "0";
    const places = Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(value))));
    return value.toLocaleString("en-US", {maximumFractionDigits: Math.min(places, 6)});
  },
  count(value) {
    return value == null ? none : Math.round(value).toLocaleString("en-US");
  },
  share(value) {
    return value == null ? none : format.number(100 * value, 2) + thin + "%";
  },
  times(value) {
    return format.number(value, value < 10 ? 2 : 3) + "×";
  },
  time(us, unit = timeUnit(us)) {
    return format.number(us / unit.us) + thin + unit.name;
  },
  seconds(value) {
    if (value < 120) return format.number(value) + thin + "s";
    return value < 7200 ? format.number(value / 60) + thin + "min" : format.number(value / 3600) + thin + "h";
  },
  // "2026-11-22T21:40:50Z" as "2026-11-22 21:40 UTC"; what is not like that, as it is.
  date(text) {
    return text.replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d).*Z$/, "$1 $2 UTC");
  },
};

function timeUnit(us) {
  if (us >= 1e6) return {us: 1e6, name: "s"};
  return us >= 1e3 ? {us: 1e3, name: "ms"} : {us: 1, name: "µs"};
}

// An element; a text among the children stays text, whatever is in it.
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(key, "");
    else if (value != null && value !== false) made.setAttribute(key, value);
  }
  made.append(...children.flat(2).filter((child) => child != null && child !== false));
  return made;
}

// The sentence with its numbers in bold, but not those in brackets, which are ranges.
function emphasised(sentence) {
  return sentence
    .split(/(\([^()]*\))/)
    .map((part, index) => (index % 2 ? element("span", {class: "aside"}, part) : boldNumbers(part)));
}

function boldNumbers(sentence) {
  const number = /(?<![\p{L}\d_.-])\d[\d,.]*\d?(?:\s?(?:×|%|µs|ms|min|s|h|\/s|B|kB|MB)(?![\p{L}]))?/gu;
  const parts = [];
  let end = 0;
  for (const match of sentence.matchAll(number)) {
    parts.push(sentence.slice(end, match.index), element("b", {}, match[0]));
    end = match.index + match[0].length;
  }
  return [...parts, sentence.slice(end)];
}
