/**
 * What the server says, in two verbs: `get` and `post` give the decoded body or throw a `Problem`.
 * Nothing here knows the page.
 */

/** An answer that is not a success; RFC 9457's members where the server sent them. */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail ?? body.title ?? `The server answered ${status}`);
    this.name = "Problem";
    this.status = status;
    this.hint = body.hint ?? null;
    /** The messages by field: `$.text` and `$[0].text` are both about `text`. */
    this.fields = Object.fromEntries(
      (body.errors ?? []).map(({ path, message }) => [path.replace(/^\$(\[\d+\])?\.?/, ""), message]),
    );
  }
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { detail: "The server cannot be reached", hint: "is it still running?" });
  }
  const isJSON = /[/+]json\b/.test(response.headers.get("Content-Type") ?? "");
  const body = isJSON ? await response.json() : {};
  if (!response.ok) throw new Problem(response.status, body);
  return body;
}

export function get(path, signal) {
  return ask(path, { signal, headers: { Accept: "application/json" } });
}

export function post(path, body) {
  const headers = { "Content-Type": "application/json", Accept: "application/json" };
  return ask(path, { method: "POST", headers, body: JSON.stringify(body) });
}

/**
 * Call `tell({path, server, total})` (times in ms) for each answer of the API. The browser reads the
 * server's own figures, one for each station that the request passed, from the `Server-Timing` header, where there is one.
 */
export function watchTimings(tell) {
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { pathname, search } = new URL(entry.name);
      if (entry.initiatorType !== "fetch" || entry.responseStatus === 0) continue; // 0: there was no answer
      const durations = (entry.serverTiming ?? []).map((part) => part.duration);
      const server = durations.length ? durations.reduce((sum, duration) => sum + duration, 0) : null;
      tell({ path: pathname + search, server, total: entry.duration });
    }
  }).observe({ type: "resource", buffered: true });
}
