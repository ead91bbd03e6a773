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
  element.append(...children.filter((child) => child != null && child !== false));
  return element;
}

export const by = (id) => document.getElementById(id);

export const signed = (value) => (value <= -0.005 ? "\u2212" : "+") + Math.abs(value).toFixed(2);

export const seconds = (value) => `${value.toFixed(1)} s`;

// A moment: "12.3 s" of a short clip, "2:05.3" of a longer one, or "2:05" where tenths say nothing.
export function moment(time, duration, digits = 1) {
  if (duration < 100) return `${time.toFixed(digits)} s`;
  const tenths = digits ? Math.round(time * 10 ** digits) / 10 ** digits : Math.floor(time + 1e-6); // whole seconds as clocks show them
  const hours = Math.floor(tenths / 3600), minutes = Math.floor(tenths / 60) % 60;
  const rest = (tenths % 60).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

const known = new Map(); // asked for at every frame; forgotten between light and dark
export const dark = matchMedia("(prefers-color-scheme: dark)");
dark.addEventListener("change", () => known.clear());

export function colour(name) {
  if (!known.has(name)) known.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
  return known.get(name);
}

export const MODALITIES = [
  ["text", "words"],
  ["audio", "voice"],
  ["video", "face"],
];
