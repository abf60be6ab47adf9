/**
 * The three pages. Each view takes its part of the address and a signal that ends its requests, and gives
 * `{title, content, places, subject}`: what to show, and what to mark on the map.
 */

import { get, Problem } from "./api.js";
import { clock, compact, coordinates, flag, h, icon, number } from "./dom.js";
import { postcards } from "./postcards.js";

const NEAREST = 12; // neighbours shown before `more`

let continents = null; // asked once: the list of countries does not change while the page is open

/** All countries, or those of one continent. */
export async function world(code, signal) {
  continents ??= await get(
    "/api/continents?select=code,name,countries(code,name,capital)&order=name&countries.order=name",
    signal,
  );
  const shown = continents.filter((continent) => !code || continent.code === code);
  if (!shown.length) throw new Problem(404, { detail: `There is no continent “${code}”` });

  const tab = (target, words, current) =>
    h("li", {}, h("a", { href: target, "aria-current": current ? "page" : null }, words));
  const tabs = [
    tab("#/", "All", !code),
    continents.map(({ code: other, name }) => tab(`#/continent/${other}`, name, other === code)),
  ];
  const lists = h("div", {}, shown.map(continentList));
  const none = h("p", { class: "notice", hidden: true }, "No country here has that in its name or its capital’s.");
  const filter = (event) => {
    none.hidden = keep(lists, event.target.value);
  };
  return {
    title: code ? shown[0].name : "",
    content: [
      h("header", { class: "title" }, h("h1", {}, code ? shown[0].name : "Countries of the world")),
      h(
        "div",
        { class: "tools" },
        h("nav", { "aria-label": "Continents" }, h("ul", { class: "tabs" }, tabs)),
        h("input", { type: "search", placeholder: "Filter by name", "aria-label": "Filter countries", input: filter }),
      ),
      lists,
      none,
    ],
    places: [],
  };
}

function continentList({ name, countries }) {
  const row = (country) =>
    h(
      "li",
      { "data-words": fold(`${country.name} ${country.capital ?? ""}`) },
      h(
        "a",
        { class: "row", href: `#/country/${country.code}` },
        flag(country.code),
        h("b", {}, country.name),
        h("span", {}, country.capital ?? ""),
      ),
    );
  return h(
    "section",
    { class: "continent" },
    h("h2", {}, name, " ", h("span", { class: "count" }, number(countries.length))),
    h("ul", { class: "countries" }, countries.map(row)),
  );
}

/** Show the countries whose words hold what was typed; true when there are any. */
function keep(lists, typed) {
  const words = fold(typed.trim());
  for (const section of lists.children) {
    const rows = [...section.querySelectorAll("li")];
    for (const row of rows) row.hidden = !row.dataset.words.includes(words);
    section.hidden = rows.every((row) => row.hidden);
  }
  return [...lists.children].some((section) => !section.hidden);
}

/** Lower case without accents, so that `sao` finds São Tomé. */
function fold(text) {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

/** One country and its largest cities. */
export async function country(code, signal) {
  const [found] = await get(
    `/api/countries?code=eq.${encodeURIComponent(code)}` +
      "&select=*,continent(code,name),cities(id,name,population,latitude,longitude)" +
      "&cities.order=population.desc&cities.limit=60",
    signal,
  );
  if (!found) throw new Problem(404, { detail: `There is no country “${code}”` });
  const { continent, cities, area, population } = found;
  return {
    title: found.name,
    content: [
      trail([`#/continent/${continent.code}`, continent.name]),
      h("header", { class: "title" }, h("h1", {}, flag(found.code), " ", found.name)),
      facts({
        Capital: found.capital,
        Population: population ? number(population) : null,
        Area: area ? `${number(area)} km²` : null,
        Density: population && area ? density(population / area) : null,
        Currency: found.currency_code && `${found.currency_name} (${found.currency_code})`,
        Telephone: found.phone && `+${found.phone.replace(/^\+/, "")}`,
      }),
      h(
        "section",
        {},
        h("h2", {}, icon("building"), "Largest cities"),
        cities.length
          ? h("ol", { class: "ranking" }, cities.map(ranked))
          : h("p", { class: "notice" }, "No city of 15,000 people or more."),
      ),
    ],
    places: cities,
  };
}

/** One city: where it is, what is near it, and what people wrote from there. */
export async function city(id, signal) {
  const neighbours = nearby(id, signal);
  const found = await get(
    `/api/cities/${id}?select=*,country(name,code,continent(code,name)),postcards(author,text,written)` +
      "&postcards.order=written.desc&postcards.limit=10",
    signal,
  );
  const { country: home } = found;
  const time = clock(found.timezone);
  return {
    title: `${found.name}, ${home.name}`,
    content: [
      trail([`#/continent/${home.continent.code}`, home.continent.name], [`#/country/${home.code}`, home.name]),
      h(
        "header",
        { class: "title" },
        h("h1", {}, found.name),
        h("p", {}, flag(home.code), " ", h("a", { href: `#/country/${home.code}` }, home.name)),
      ),
      facts({
        Population: number(found.population),
        Coordinates: coordinates(found.latitude, found.longitude),
        "Local time": time,
        "Time zone": found.timezone.replaceAll("_", " "),
      }),
      h("div", { class: "columns" }, neighbours, postcards(found)),
    ],
    places: [],
    subject: found,
  };
}

/** The neighbours of a city; another radius asks again and replaces only the list. */
function nearby(id, signal) {
  const list = h("div");
  const choices = [25, 50, 100, 250].map((km) => h("option", { value: km, selected: km === 50 }, `${km} km`));
  const radius = h("select", { id: "km", change: show }, choices);

  async function show() {
    const km = radius.value;
    try {
      const found = (await get(`/nearby/${id}?km=${km}`, signal)).map(neighbour);
      if (km !== radius.value) return; // another radius was chosen meanwhile
      const rest = found.splice(NEAREST);
      list.replaceChildren(
        found.length ? h("ol", {}, found) : h("p", { class: "notice" }, `No other city within ${km} km.`),
        rest.length ? h("details", {}, h("summary", {}, `${number(rest.length)} more`), h("ol", {}, rest)) : "",
      );
    } catch (problem) {
      if (!signal.aborted) list.replaceChildren(h("p", { class: "notice" }, problem.message));
    }
  }

  show();
  const title = h("h2", {}, icon("compass"), h("label", { for: "km" }, "Within"), radius);
  return h("section", { class: "nearby" }, title, list);
}

function neighbour({ id, name, population, km }) {
  const figures = [compact(population), `${km.toFixed(1)} km`].map((words) => h("span", { class: "figure" }, words));
  return h("li", {}, h("a", { class: "row", href: `#/city/${id}` }, h("b", {}, name), figures));
}

/** A row whose bar compares it with the largest. */
function ranked({ id, name, population }, _, [largest]) {
  const figure = h("span", { class: "figure" }, compact(population));
  const row = h("a", { class: "row", href: `#/city/${id}` }, h("b", {}, name), figure);
  row.style.setProperty("--share", `${(100 * population) / (largest.population || 1)}%`);
  return h("li", {}, row);
}

function density(people) {
  return people < 1 ? "less than 1 per km²" : `${number(Math.round(people))} per km²`;
}

function trail(...steps) {
  const links = [["#/", "World"], ...steps].map(([href, words]) => h("li", {}, h("a", { href }, words)));
  return h("nav", { "aria-label": "Where this is" }, h("ol", { class: "trail" }, links));
}

function facts(table) {
  const known = Object.entries(table).filter(([, value]) => value);
  return h(
    "dl",
    { class: "facts" },
    known.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );
}
