/** Elements and wording: what every view needs, and no view in particular. */

/**
 * Make an element. Children are nodes or text, never HTML, in lists of any depth; `null` is left out. An attribute
 * that is a function becomes a listener.
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null));
  return element;
}

/** One of our own icons, drawn in the colour of the text around it. */
export function icon(name) {
  const namespace = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(namespace, "svg");
  const use = document.createElementNS(namespace, "use");
  use.setAttribute("href", `/images/icons.svg#${name}`);
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

/** The flag of a country: its two letters as regional indicator symbols. */
export function flag(code) {
  const letters = [...code].map((letter) => String.fromCodePoint(letter.charCodeAt(0) + 0x1f1a5));
  return h("span", { class: "flag", "aria-hidden": "true" }, letters.join(""));
}

const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const day = new Intl.DateTimeFormat("en", { dateStyle: "medium" });

export const number = (value) => whole.format(value);
export const compact = (value) => short.format(value);
export const date = (text) => day.format(new Date(text));

/** Degrees as an atlas prints them: 48°51′N 2°21′E. */
export function coordinates(latitude, longitude) {
  const angle = (value, positive, negative) => {
    const minutes = Math.round(Math.abs(value) * 60);
    const rest = String(minutes % 60).padStart(2, "0");
    return `${Math.floor(minutes / 60)}°${rest}′${value < 0 ? negative : positive}`;
  };
  return `${angle(latitude, "N", "S")} ${angle(longitude, "E", "W")}`;
}

/** What the clocks show there now, or null for a time zone that this browser does not know. */
export function clock(timeZone) {
  try {
    const parts = { weekday: "short", hour: "2-digit", minute: "2-digit" };
    return new Intl.DateTimeFormat("en-GB", { timeZone, ...parts }).format();
  } catch {
    return null;
  }
}
