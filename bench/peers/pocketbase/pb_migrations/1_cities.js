/// <reference path="../pb_data/types.d.ts" />
// The benchmark's three collections, readable by anybody; visits may be created by anybody.
migrate((app) => {
  const settings = app.settings();
  settings.logs.maxDays = 0; // no request log: no peer writes an access log here
  app.save(settings);

  const countries = new Collection({
    type: "base",
    name: "countries",
    listRule: "",
    viewRule: "",
    fields: [
      { type: "text", name: "code", required: true, max: 2 },
      { type: "text", name: "name", required: true, max: 80 },
    ],
  });
  app.save(countries);

  const cities = new Collection({
    type: "base",
    name: "cities",
    listRule: "",
    viewRule: "",
    fields: [
      { type: "text", name: "name", required: true, max: 80 },
      { type: "relation", name: "country", required: true, maxSelect: 1, collectionId: countries.id },
      { type: "number", name: "latitude" },
      { type: "number", name: "longitude" },
      { type: "number", name: "population", onlyInt: true },
    ],
    indexes: [
      "CREATE INDEX `cities_population` ON `cities` (`population`)",
      "CREATE INDEX `cities_country_population` ON `cities` (`country`, `population`)",
    ],
  });
  app.save(cities);

  app.save(new Collection({
    type: "base",
    name: "visits",
    createRule: "",
    viewRule: "",
    fields: [
      { type: "relation", name: "city", required: true, maxSelect: 1, collectionId: cities.id },
      { type: "text", name: "visitor", required: true, max: 80 },
      { type: "number", name: "rating", required: true, onlyInt: true, min: 1, max: 5 },
    ],
  }));
});
