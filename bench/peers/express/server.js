// Express 5 on better-sqlite3: statements prepared once, router per resource, default (weak) ETags.
// In: PORT and DATABASE from the environment. Out: the benchmark's five endpoints as JSON.
"use strict";

const express = require("express");
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

function wholeNumber(text, fallback, most) {
  if (text === undefined) return fallback;
  const number = Number(text);
  return Number.isInteger(number) && number >= 0 && number <= most ? number : undefined;
}

const app = express();

app.get("/cities/:id", (request, response) => {
  const city = oneCity.get(request.params.id);
  if (city === undefined) return response.status(404).json({ error: "no such city" });
  response.json(city);
});

app.get("/cities", (request, response) => {
  const limit = wholeNumber(request.query.limit, 20, 100);
  const offset = wholeNumber(request.query.offset, 0, 1e9);
  const country = wholeNumber(request.query.country, null, 1e9);
  if (limit === undefined || offset === undefined || country === undefined) {
    return response.status(400).json({ error: "limit, offset and country are whole numbers" });
  }
  if (country !== null) return response.json(largestOfCountry.all(country, limit, offset));
  if (request.query.embed === "country") {
    return response.json(cityPageWithCountry.all(limit, offset).map(withCountry));
  }
  response.json(cityPage.all(limit, offset));
});

app.post("/visits", express.json(), (request, response) => {
  const { city, visitor, rating } = request.body ?? {};
  if (!Number.isInteger(city) || typeof visitor !== "string" || !(rating >= 1 && rating <= 5)) {
    return response.status(422).json({ error: "city, visitor and rating (1 to 5) are required" });
  }
  const { lastInsertRowid } = insertVisit.run(city, visitor, rating);
  response.status(201).json({ id: lastInsertRowid, city, visitor, rating });
});

app.listen(Number(process.env.PORT), "127.0.0.1");
