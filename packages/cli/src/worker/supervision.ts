/** What a supervisor sends to its worker process to have it stop gracefully. */
export const stopMessage = "taskferry.stop";

/** The option with which a supervisor starts its worker process. */
export const supervisedOption = "--supervised";
