// `npm run bench`: taskferry, its peers and the raw clients side by side, from a fresh clone.
import { prepareServers } from "./servers.mjs";
import { startApp } from "./start-app.mjs";
import { main } from "./steps.mjs";

await main(() => startApp("bench", { prepare: () => prepareServers(["redis", "rabbitmq", "nats"]) }));
