/** Search as you type: a combobox (ARIA 1.2) over the API, one request under way at a time. */

import { get } from "./api.js";
import { compact, flag, h } from "./dom.js";

const PAUSE = 120; // ms without a key before the server is asked

export function startSearch(input, list, status, choose) {
  let timer = 0;
  let request = new AbortController();
  let active = -1;

  function close() {
    clearTimeout(timer);
    request.abort();
    list.hidden = true;
    active = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  function open(children, words) {
    list.replaceChildren(...children);
    list.hidden = false;
    list.ariaBusy = "false";
    active = -1;
    input.setAttribute("aria-expanded", "true");
    input.removeAttribute("aria-activedescendant");
    status.textContent = words;
  }

  function option(city, index) {
    const place = [flag(city.country.code), h("b", {}, city.name), h("span", {}, city.country.name)];
    const attributes = { id: `found-${index}`, role: "option", "aria-selected": "false", "data-id": city.id };
    return h("li", attributes, place, h("span", { class: "figure" }, compact(city.population)));
  }

  async function search(words) {
    request.abort();
    request = new AbortController();
    const { signal } = request;
    const name = encodeURIComponent(words.replace(/[*%_\\]/g, "")); // wildcards are ours to place
    try {
      const cities = await get(
        `/api/cities?name=ilike.${name}*&order=population.desc&limit=20` +
          "&select=id,name,population,country(name,code)",
        signal,
      );
      if (signal.aborted) return;
      if (cities.length) open(cities.map(option), `${cities.length} cities found`);
      else nothing(`No city begins with “${words}”.`);
    } catch (problem) {
      if (!signal.aborted) nothing(problem.message);
    }
  }

  function nothing(words) {
    open([h("li", { class: "none", role: "option", "aria-disabled": "true" }, words)], words);
  }

  function take(element) {
    close();
    input.value = "";
    input.blur();
    choose(Number(element.dataset.id));
  }

  function move(step) {
    const options = list.querySelectorAll("[data-id]");
    if (list.hidden || !options.length) return;
    options[active]?.setAttribute("aria-selected", "false");
    active = (active + step + options.length + (active < 0 && step < 0 ? 1 : 0)) % options.length;
    options[active].setAttribute("aria-selected", "true");
    options[active].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", options[active].id);
  }

  input.addEventListener("input", () => {
    clearTimeout(timer);
    list.ariaBusy = "true"; // what it shows answers what was typed before
    const words = input.value.trim();
    if (words) timer = setTimeout(search, PAUSE, words);
    else close();
  });
  input.addEventListener("keydown", (event) => {
    const chosen = list.querySelectorAll("[data-id]")[Math.max(active, 0)];
    if (event.key === "ArrowDown") move(1);
    else if (event.key === "ArrowUp") move(-1);
    else if (event.key === "Enter" && chosen && !list.hidden && list.ariaBusy !== "true") take(chosen);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
  });
  list.addEventListener("pointerdown", (event) => event.preventDefault()); // or the input's blur closes the list first
  list.addEventListener("click", (event) => {
    const chosen = event.target.closest("[data-id]");
    if (chosen) take(chosen);
  });
  input.addEventListener("blur", close);
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    input.focus();
  });
}
