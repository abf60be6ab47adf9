// Fastify 5 on better-sqlite3: statements prepared once, schemas in and out (fast-json-stringify).
// In: PORT and DATABASE from the environment; ETAG=1 registers @fastify/etag. Out: the five endpoints as JSON.
"use strict";

const Database = require("better-sqlite3");

const db = new Database(process.env.DATABASE, { fileMustExist: true });
db.pragma("journal_mode = WAL");
db.pragma("synchronous = FULL"); // better-sqlite3 is compiled with NORMAL for WAL
db.pragma("foreign_keys = ON");

const COLUMNS = "id, name, country_id, latitude, longitude, population";
const oneCity = db.prepare(`SELECT ${COLUMNS} FROM cities WHERE id = ?`);
const cityPage = db.prepare(`SELECT ${COLUMNS} FROM cities ORDER BY id LIMIT ? OFFSET ?`);
const largestOfCountry = db.prepare(
  `SELECT ${COLUMNS} FROM cities WHERE country_id = ? ORDER BY population DESC LIMIT ? OFFSET ?`,
);
const cityPageWithCountry = db.prepare(
  `SELECT c.id, c.name, c.country_id, c.latitude, c.longitude, c.population,
          n.code AS country_code, n.name AS country_name
   FROM cities c JOIN countries n ON n.id = c.country_id ORDER BY c.id LIMIT ? OFFSET ?`,
);
const insertVisit = db.prepare("INSERT INTO visits (city_id, visitor, rating) VALUES (?, ?, ?)");

const withCountry = (row) => ({
  id: row.id,
  name: row.name,
  country: { id: row.country_id, code: row.country_code, name: row.country_name },
  latitude: row.latitude,
  longitude: row.longitude,
  population: row.population,
});

const country = {
  type: "object",
  properties: { id: { type: "integer" }, code: { type: "string" }, name: { type: "string" } },
};
const city = {
  type: "object",
  properties: {
    id: { type: "integer" },
    name: { type: "string" },
    country_id: { type: "integer" },
    latitude: { type: "number" },
    longitude: { type: "number" },
    population: { type: "integer" },
    country,
  },
};
const page = {
  type: "object",
  properties: {
    limit: { type: "integer", minimum: 0, maximum: 100, default: 20 },
    offset: { type: "integer", minimum: 0, default: 0 },
    country: { type: "integer" },
    embed: { type: "string", enum: ["country"] },
  },
};
const newVisit = {
  type: "object",
  required: ["city", "visitor", "rating"],
  additionalProperties: false,
  properties: {
    city: { type: "integer" },
    visitor: { type: "string", minLength: 1, maxLength: 80 },
    rating: { type: "integer", minimum: 1, maximum: 5 },
  },
};
const visit = { type: "object", properties: { id: { type: "integer" }, ...newVisit.properties } };

const app = require("fastify")({ logger: false });
if (process.env.ETAG === "1") app.register(require("@fastify/etag"), { weak: true });

app.register(async (routes) => {
  routes.get(
    "/cities/:id",
    {
      schema: {
        params: { type: "object", properties: { id: { type: "integer" } } },
        response: { 200: city },
      },
    },
    (request, reply) => {
      const found = oneCity.get(request.params.id);
      if (found === undefined) return reply.code(404).send({ error: "no such city" });
      return reply.send(found);
    },
  );

  routes.get(
    "/cities",
    { schema: { querystring: page, response: { 200: { type: "array", items: city } } } },
    (request, reply) => {
      const { limit, offset, country, embed } = request.query;
      if (country !== undefined) return reply.send(largestOfCountry.all(country, limit, offset));
      if (embed === "country") return reply.send(cityPageWithCountry.all(limit, offset).map(withCountry));
      return reply.send(cityPage.all(limit, offset));
    },
  );

  routes.post("/visits", { schema: { body: newVisit, response: { 201: visit } } }, (request, reply) => {
    const { city, visitor, rating } = request.body;
    const { lastInsertRowid } = insertVisit.run(city, visitor, rating);
    return reply.code(201).send({ id: Number(lastInsertRowid), city, visitor, rating });
  });
});

app.listen({ port: Number(process.env.PORT), host: "127.0.0.1" });
