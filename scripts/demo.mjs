// `npm run demo [-- --check [FOLDER]]`: the web application and its worker, from a fresh clone.
import { startApp } from "./start-app.mjs";
import { main } from "./steps.mjs";

await main(() => startApp("demo"));
