/**
 * The world as a dot plot: no coastlines, only where people live. In: places as
 * `{id, name, latitude, longitude, population}`. Out: `pick(place)` when one is clicked.
 */

const [NORTH, SOUTH] = [78, -56];

/** Equal Earth (Šavrič, Patterson, Jenny 2018): equal-area, so that the density of dots tells the truth. */
function project(latitude, longitude) {
  const [a1, a2, a3, a4] = [1.340264, -0.081106, 0.000893, 0.003796];
  const t = Math.asin((Math.sqrt(3) / 2) * Math.sin((latitude * Math.PI) / 180));
  const t2 = t * t;
  const t6 = t2 ** 3;
  const x =
    (((2 * Math.sqrt(3) * longitude * Math.PI) / 180) * Math.cos(t)) /
    (3 * (a1 + 3 * a2 * t2 + t6 * (7 * a3 + 9 * a4 * t2)));
  return [x, t * (a1 + a2 * t2 + t6 * (a3 + a4 * t2))];
}

const LEFT = project(0, -180)[0];
const TOP = project(NORTH, 0)[1];
const WIDTH = -2 * LEFT;
const HEIGHT = TOP - project(SOUTH, 0)[1];

const SCALE = 200; // pixels to a unit of the projection, at which dots have their nominal size

export class WorldMap {
  #canvas;
  #pen;
  #places = [];
  #marked = [];
  #subject = null;
  #hovered = null;
  #scale = 1;

  constructor(canvas, pick) {
    this.#canvas = canvas;
    this.#pen = canvas.getContext("2d");
    canvas.addEventListener("pointermove", (event) => this.#hover(this.#nearest(event)));
    canvas.addEventListener("pointerleave", () => this.#hover(null));
    canvas.addEventListener("click", (event) => {
      const place = this.#nearest(event);
      if (place) pick(place);
    });
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  /** Add places, the largest first. */
  add(places) {
    this.#places.push(...places.map((place) => ({ ...place, at: project(place.latitude, place.longitude) })));
    this.draw();
  }

  /** Mark these places, and name the one that is the subject of the page. */
  mark(places, subject = null) {
    const projected = (place) => ({ ...place, at: project(place.latitude, place.longitude) });
    this.#marked = places.map(projected);
    this.#subject = subject && projected(subject);
    this.draw();
  }

  draw() {
    const { clientWidth } = this.#canvas;
    const density = window.devicePixelRatio || 1;
    this.#scale = clientWidth / WIDTH;
    this.#canvas.width = clientWidth * density;
    this.#canvas.height = HEIGHT * this.#scale * density;
    this.#pen.scale(density, density);
    const style = getComputedStyle(this.#canvas);
    const colour = (name) => style.getPropertyValue(name).trim();

    this.#graticule(colour("--graticule"));
    const dimmed = this.#subject || this.#marked.length ? 0.5 : 0.8;
    for (const place of this.#places) this.#dot(place, colour("--dot"), dimmed);
    for (const place of this.#marked) this.#dot(place, colour("--accent"), 0.85);
    if (this.#subject) this.#target(this.#subject, colour("--accent"));
    const named = this.#hovered ?? this.#subject;
    if (named) this.#label(named, colour("--ink"), colour("--sea"), style.fontFamily);
  }

  #point([x, y]) {
    return [(x - LEFT) * this.#scale, (TOP - y) * this.#scale];
  }

  #graticule(colour) {
    const pen = this.#pen;
    const line = (points) => {
      pen.beginPath();
      for (const [latitude, longitude] of points) pen.lineTo(...this.#point(project(latitude, longitude)));
      pen.stroke();
    };
    pen.strokeStyle = colour;
    pen.lineWidth = 1;
    const latitudes = Array.from({ length: 47 }, (_, i) => SOUTH + (i * (NORTH - SOUTH)) / 46);
    for (let longitude = -180; longitude <= 180; longitude += 30) line(latitudes.map((at) => [at, longitude]));
    for (const latitude of [-30, 0, 30, 60]) line([[latitude, -180], [latitude, 180]]);
  }

  #dot(place, colour, opacity) {
    const pen = this.#pen;
    const size = (0.55 + Math.sqrt(place.population / 1e6) * 0.7) * Math.sqrt(this.#scale / SCALE);
    pen.globalAlpha = opacity;
    pen.fillStyle = colour;
    pen.beginPath();
    pen.arc(...this.#point(place.at), size, 0, 2 * Math.PI);
    pen.fill();
    pen.globalAlpha = 1;
  }

  #target(place, colour) {
    const pen = this.#pen;
    const [x, y] = this.#point(place.at);
    pen.strokeStyle = pen.fillStyle = colour;
    pen.globalAlpha = 0.35;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(0, y);
    pen.lineTo(x - 9, y);
    pen.moveTo(x + 9, y);
    pen.lineTo(this.#canvas.clientWidth, y);
    pen.moveTo(x, 0);
    pen.lineTo(x, y - 9);
    pen.moveTo(x, y + 9);
    pen.lineTo(x, HEIGHT * this.#scale);
    pen.stroke();
    pen.globalAlpha = 1;
    pen.lineWidth = 1.75;
    pen.beginPath();
    pen.arc(x, y, 8, 0, 2 * Math.PI);
    pen.stroke();
    pen.beginPath();
    pen.arc(x, y, 3, 0, 2 * Math.PI);
    pen.fill();
  }

  #label(place, ink, halo, family) {
    const pen = this.#pen;
    const [x, y] = this.#point(place.at);
    pen.font = `600 13px ${family}`;
    const width = pen.measureText(place.name).width;
    const left = x + 14 + width > this.#canvas.clientWidth ? x - 14 - width : x + 14;
    const base = y < 20 ? y + 20 : y - 8;
    pen.lineJoin = "round";
    pen.lineWidth = 4;
    pen.strokeStyle = halo;
    pen.strokeText(place.name, left, base);
    pen.fillStyle = ink;
    pen.fillText(place.name, left, base);
  }

  #nearest(event) {
    const reach = event.pointerType === "touch" ? 18 : 9;
    let [best, least] = [null, reach * reach];
    for (const place of [...this.#marked, ...this.#places]) {
      const [x, y] = this.#point(place.at);
      const distance = (x - event.offsetX) ** 2 + (y - event.offsetY) ** 2;
      if (distance < least) [best, least] = [place, distance];
    }
    return best;
  }

  #hover(place) {
    if (place?.id === this.#hovered?.id) return;
    this.#hovered = place;
    this.#canvas.classList.toggle("pointing", place !== null);
    this.draw();
  }
}
