// Elements from names and attributes; text is always text, never markup.

export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value == null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "text") element.textContent = value;
    else if (name.startsWith("--")) element.style.setProperty(name, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

export const by = (id) => document.getElementById(id);

export const signed = (value) => (value < 0 ? "\u2212" : "+") + Math.abs(value).toFixed(2);

export const seconds = (value) => `${value.toFixed(1)} s`;

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export const MODALITIES = [
  ["text", "words"],
  ["audio", "voice"],
  ["video", "face"],
];
