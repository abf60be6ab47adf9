/** The postcards of a city, and the form that sends one; what the server objects to is shown beside its field. */

import { post } from "./api.js";
import { date, h, icon } from "./dom.js";

export function postcards(city) {
  const cards = h("ul", { class: "cards" }, city.postcards.map(card));
  const empty = h("p", { class: "notice", hidden: city.postcards.length > 0 }, "Nobody has written from here yet.");
  const author = field("author", "Your name", h("input", { autocomplete: "name" }));
  const text = field("text", "What you saw", h("textarea", { rows: 3 }));
  const button = h("button", {}, "Send the postcard");
  const status = h("p", { class: "status", role: "status" });

  async function send(event) {
    event.preventDefault();
    button.disabled = true;
    status.textContent = "";
    const written = { city: city.id, author: author.control.value, text: text.control.value };
    try {
      cards.prepend(card(await post("/api/postcards", written)));
      empty.hidden = true;
      form.reset();
      for (const one of [author, text]) one.complain(null);
      status.textContent = "Sent.";
    } catch (problem) {
      const fields = problem.fields ?? {};
      for (const one of [author, text]) one.complain(fields[one.name] ?? null);
      const first = [author, text].find((one) => fields[one.name]);
      if (first) first.control.focus();
      else status.textContent = [problem.message, problem.hint].filter(Boolean).join(": ");
    } finally {
      button.disabled = false;
    }
  }

  // The server is the one that validates; the browser's own bubbles would only hide its answers.
  const form = h(
    "form",
    { class: "write", novalidate: true, submit: send },
    author.element,
    text.element,
    h("p", { class: "actions" }, button, status),
  );
  return h("section", {}, h("h2", {}, icon("postcard"), "Postcards"), form, empty, cards);
}

function field(name, words, control) {
  const message = h("p", { id: `${name}-error`, class: "error" });
  control.id = control.name = name;
  control.setAttribute("aria-describedby", message.id);
  const complain = (words) => {
    message.textContent = words ?? "";
    control.ariaInvalid = words === null ? null : "true";
  };
  return { name, control, complain, element: h("div", {}, h("label", { for: name }, words), control, message) };
}

function card({ author, text, written }) {
  return h(
    "li",
    {},
    h("p", {}, text),
    h("footer", {}, h("b", {}, author), h("time", { datetime: written }, date(written))),
  );
}
