/** The page: an address after `#` becomes a view; the map and the search stay. */

import { get, Problem, watchTimings } from "./api.js";
import { h, number } from "./dom.js";
import { WorldMap } from "./map.js";
import { startSearch } from "./search.js";
import { city, country, world } from "./views.js";

const ROUTES = [
  [/^#\/city\/(\d+)$/, city],
  [/^#\/country\/([A-Z]{2})$/, country],
  [/^#\/continent\/([A-Z]{2})$/, world],
  [/^(?:#\/?)?()$/, world],
];
const MAP = "/api/cities?select=id,name,latitude,longitude,population&order=population.desc,id.desc";
const PLACES = 1000; // asked for at a time
const PAGES = 5;

const $ = (id) => document.getElementById(id);
const view = $("view");
const goTo = (id) => {
  location.hash = `#/city/${id}`;
};
const map = new WorldMap($("map"), (place) => goTo(place.id));
let visit = new AbortController();

async function show(isFirst) {
  visit.abort();
  visit = new AbortController();
  const { signal } = visit;
  view.setAttribute("aria-busy", "true");
  let page;
  try {
    page = await find(location.hash, signal);
  } catch (problem) {
    if (signal.aborted) return;
    page = failed(problem);
  }
  if (signal.aborted) return;
  document.title = page.title ? `${page.title} · Atlas` : "Atlas";
  view.replaceChildren(...page.content);
  view.setAttribute("aria-busy", "false");
  map.mark(page.places, page.subject);
  if (isFirst) return;
  view.focus({ preventScroll: true });
  scrollTo({ top: 0 });
}

function find(address, signal) {
  for (const [pattern, make] of ROUTES) {
    const match = pattern.exec(address);
    if (match) return make(match[1], signal);
  }
  throw new Problem(404, { detail: "There is no such page" });
}

function failed(problem) {
  const others = h("a", { href: "#/" }, "All countries");
  const again = h("button", { click: () => show(false) }, "Try again");
  const content = [
    h("header", { class: "title" }, h("h1", {}, problem.status === 404 ? "Not on this map" : "That did not work")),
    h("p", { class: "notice" }, [problem.message, problem.hint].filter(Boolean).join(": ")),
    h("p", {}, problem.status === 404 ? others : again),
  ];
  return { title: "Problem", content, places: [] };
}

/** Draw the world from the largest cities, the next page when the one before is on the map. */
async function drawWorld() {
  let total = 0;
  try {
    for (let page = 0; page < PAGES; page++) {
      const places = await get(`${MAP}&limit=${PLACES}&offset=${page * PLACES}`);
      map.add(places);
      total += places.length;
      $("map-caption").textContent = `The ${number(total)} largest cities. Point at one, or search.`;
      if (places.length < PLACES) break;
    }
  } catch (problem) {
    $("map-caption").textContent = `The map is incomplete: ${problem.message}`;
  }
}

/** Say how long the latest answer took; the map's are left out, or they would hide those of the view. */
function tellTiming({ path, server, total }) {
  if (path.startsWith(MAP)) return;
  const milliseconds = (value) => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
  const inServer = server === null ? "" : `${milliseconds(server)} in the server, `;
  $("timing").replaceChildren(h("code", {}, decodeURIComponent(path)), ` ${inServer}${milliseconds(total)} in all`);
}

$("skip").addEventListener("click", (event) => {
  event.preventDefault(); // what follows # is the view, not an anchor
  view.focus();
});
watchTimings(tellTiming);
startSearch($("search"), $("found"), $("search-status"), goTo);
addEventListener("hashchange", () => show(false));
await Promise.all([show(true), drawWorld()]);
