// Who may import whom. Tests of a package may reach into its own sources; the rules are about what users get.
const core = "^packages/core/src/";
const coreFiles = (names) => `${core}(${names})\\.ts$`;
const coreFolders = (names) => `${core}(${names})/`;

/** Facts and values that everything else builds on. */
const leaf = `${core}((errors|outcome|message|duration|byte-size|plan|logger|lifecycle|id|root|error-record|batcher|clock|load-module|plain-text|frame|familiar-lines|turnover|state-value|state-segment)\\.ts$|timing/)`;
const events = coreFiles("events");
const contracts = coreFiles("serializer|broker|result-backend|state-store|middleware");
/** What implementations of the contracts have in common. */
const implementations = coreFiles("broker-listeners|own-outcomes|outcome-waits|state-watch");
/** What both sides share: importing it opens no connection and starts nothing. */
const tasks = coreFiles(
  "task|callable-task|task-options|limit|unique|handler|schedule|schema|provider|provider-graph|provider-scope|provider-value",
);
/** What client and worker are both made with. */
const joints = coreFiles(
  "cancellation|pause|state-entries|group-results|workflow|to-outcome|capability-checks|compose|config|connections|event-stream|events|inspection|listeners|patient-start|pauses|presence|read-delivery|stage|progress|serializer-set|surroundings|url-schemes",
);
/** Making messages and handing them to brokers: for clients, and for handlers that enqueue. */
const enqueue = coreFolders("enqueue|plans");
/** The records of schedules: for clients that change them, schedulers that fire them, and workers that execute the fires. */
const schedules = coreFolders("schedules");
const client = [coreFiles("client"), coreFolders("client")];
const worker = [coreFiles("worker"), coreFolders("worker")];
const above = [coreFiles("scheduler|background"), coreFolders("scheduler|background")];
const memory = coreFolders("memory");
const serializers = coreFolders("serializers");
const middlewares = coreFolders("middlewares");
/** What is signed, encrypted or kept beside its message. */
const protection = coreFolders("protection");

/** Files of the worker: those that wire the stations, and small pieces that stations are made with. Others are stations. */
const wiring = `${core}worker/(open-conveyors|conveyor|screening|state-gates|upkeep)\\.ts$`;
const pieces = `${core}worker/(job|jobs|backoff|persist|look-ahead|quarantine|gate|parking|parked-job|is-final|cancellation-mirror|loop-lateness|executors/aborts)\\.ts$`;

const entry = ["^packages/[^/]+/src/index\\.ts$", "^packages/testing/src/(users|vitest)\\.ts$"];

/** `from` may import only what `allowed` lists, out of core's own files. */
const only = (name, { from, allowed, comment }) => ({
  name,
  comment,
  severity: "error",
  from: { path: from },
  to: { path: core, pathNot: allowed },
});

const coreRules = [
  only("core-leaf", { from: leaf, allowed: [leaf], comment: "A leaf knows leaves only." }),
  only("core-contract", {
    from: contracts,
    allowed: [leaf, contracts, events],
    comment: "A contract knows leaves, other contracts and what events look like.",
  }),
  {
    name: "core-contract-types-only",
    comment: "Contracts know each other as types: none can be loaded by another.",
    severity: "error",
    from: { path: contracts },
    to: { path: [contracts, events], dependencyTypesNot: ["type-only"] },
  },
  only("core-implementations", {
    from: implementations,
    allowed: [leaf, contracts, implementations],
    comment: "What implementations have in common knows no more than they do.",
  }),
  only("core-task", {
    from: tasks,
    allowed: [leaf, tasks, contracts],
    comment: "Importing a task loads no client and no worker.",
  }),
  {
    name: "core-task-contract-types-only",
    comment: "Tasks know contracts as types.",
    severity: "error",
    from: { path: tasks },
    to: { path: contracts, dependencyTypesNot: ["type-only"] },
  },
  only("core-memory", {
    from: memory,
    allowed: [leaf, contracts, implementations, memory],
    comment: "The memory broker proves that the contracts suffice.",
  }),
  only("core-protection", {
    from: protection,
    allowed: [leaf, contracts, protection],
    comment: "Protection deals in bytes and facts: it knows no task, client or worker.",
  }),
  only("core-serializers", {
    from: serializers,
    allowed: [leaf, contracts, serializers],
    comment: "A serializer needs its contract alone.",
  }),
  only("core-middlewares", {
    from: middlewares,
    allowed: [leaf, contracts, middlewares],
    comment: "A middleware needs its contract alone: whatever core's can do, those of users can.",
  }),
  {
    name: "core-client-not-worker",
    comment: "Client and worker are different programs.",
    severity: "error",
    from: { path: client },
    to: { path: [...worker, ...above] },
  },
  {
    name: "core-worker-not-client",
    comment: "Client and worker are different programs: the worker is given a publish function.",
    severity: "error",
    from: { path: worker },
    to: { path: [...client, ...above] },
  },
  {
    name: "core-stations-apart",
    comment: "Stations of the worker do not import each other: worker.ts and the conveyor wire them.",
    severity: "error",
    from: { path: `${core}worker/([^/]+)\\.ts$`, pathNot: wiring },
    to: { path: coreFolders("worker"), pathNot: [pieces, `${core}worker/$1\\.ts$`], dependencyTypesNot: ["type-only"] },
  },
  only("core-enqueue", {
    from: enqueue,
    allowed: [leaf, contracts, tasks, joints, protection, enqueue],
    comment: "Enqueueing knows neither client nor worker.",
  }),
  only("core-schedules", {
    from: schedules,
    allowed: [leaf, contracts, tasks, joints, enqueue, schedules],
    comment: "The records of schedules know neither client, worker nor scheduler.",
  }),
  only("core-joint", {
    from: joints,
    allowed: [leaf, contracts, tasks, joints, protection, serializers, memory],
    comment: "What both sides are made with knows neither side.",
  }),
  {
    name: "core-known-layer",
    comment: "A new file at the top of core is given its layer here.",
    severity: "error",
    from: {},
    to: {
      path: `${core}[^/]+\\.ts$`,
      pathNot: [leaf, contracts, implementations, tasks, joints, ...client, ...worker, ...above, coreFiles("index")],
    },
  },
  {
    name: "core-stands-alone",
    comment: "Core never depends on another package of this repository, not even to develop.",
    severity: "error",
    from: { path: "^packages/core/" },
    to: { path: "^(packages|apps)/", pathNot: "^packages/core/" },
  },
];

const packageRules = [
  {
    name: "only-public-entries",
    comment: "Another package is known by its public entry.",
    severity: "error",
    from: { path: "^(packages|apps)/([^/]+)/" },
    to: { path: "^(packages|apps)/", pathNot: ["^$1/$2/", ...entry] },
  },
  {
    name: "brokers-apart",
    comment: "A package of brokers, results or state knows core and its own driver.",
    severity: "error",
    from: { path: "^packages/([^/]+)/src/", pathNot: "^packages/(core|testing|cli)/" },
    to: { path: "^(packages|apps)/", pathNot: ["^packages/$1/", "^packages/core/src/index\\.ts$"] },
  },
  {
    name: "testing-knows-core",
    comment: "The suites test contracts: they know no implementation.",
    severity: "error",
    from: { path: "^packages/testing/" },
    to: { path: "^(packages|apps)/", pathNot: ["^packages/testing/", "^packages/core/src/index\\.ts$"] },
  },
  {
    name: "cli-names-no-broker",
    comment: "The command gets its broker from the user's configuration.",
    severity: "error",
    from: { path: "^packages/cli/(src|bin)/" },
    to: { path: "^(packages|apps)/", pathNot: ["^packages/cli/", "^packages/core/src/index\\.ts$"] },
  },
  {
    name: "apps-apart",
    comment: "Nothing imports an application.",
    severity: "error",
    from: { path: "^(packages|apps)/([^/]+)/" },
    to: { path: "^apps/", pathNot: "^$1/$2/" },
  },
];

const generalRules = [
  {
    name: "no-cycles",
    comment: "What knows each other is one thing: put it in one file, or cut it otherwise.",
    severity: "error",
    from: {},
    to: { circular: true },
  },
  {
    name: "no-orphans",
    comment: "A file that nothing imports and that imports nothing is not used.",
    severity: "error",
    from: { orphan: true, path: "/src/", pathNot: "/src/(index|users|vitest)\\.ts$" },
    to: {},
  },
  {
    name: "no-own-barrel",
    comment: "Inside a package, files import each other and not the barrel.",
    severity: "error",
    from: { path: "^(packages|apps)/([^/]+)/src/" },
    to: { path: "^$1/$2/src/index\\.ts$" },
  },
  {
    name: "sources-know-no-tests",
    comment: "What users get does not import what only tests have.",
    severity: "error",
    from: { path: "/src/" },
    to: { path: "^(packages|apps)/[^/]+/test/" },
  },
  {
    name: "no-development-dependency",
    comment: "What users get may need only what its package declares for them.",
    severity: "error",
    from: { path: "^packages/[^/]+/src/" },
    to: { dependencyTypes: ["npm-dev"], dependencyTypesNot: ["type-only", "npm", "npm-peer"], pathNot: "^packages/" },
  },
  {
    name: "no-unresolvable",
    comment: "An import must lead somewhere.",
    severity: "error",
    from: {},
    to: { couldNotResolve: true },
  },
  {
    name: "no-dumping-grounds",
    comment: "A file is named after what it does.",
    severity: "error",
    from: {},
    to: {
      path: "^(packages|apps)/.*/(utils?|helpers?|common|misc|shared|types|interfaces|constants)(\\.ts$|/)",
      pathNot: "node_modules",
    },
  },
];

export default {
  forbidden: [...coreRules, ...packageRules, ...generalRules],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.base.json" },
    doNotFollow: { path: "node_modules" },
    exclude: { path: "(^|/)(dist|\\.reports|\\.turbo|\\.taskferry|node_modules/\\.packed)/" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["@taskferry/source", "types", "import", "node", "default"],
      extensions: [".ts", ".js", ".mjs", ".d.ts"],
    },
  },
};
