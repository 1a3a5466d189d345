import { FailTask } from "@taskferry/core";
import { processUpload } from "./picture/process-upload.ts";
import { UnreadablePicture } from "./picture/unreadable-picture.ts";
import { processPicture } from "./tasks.ts";

export const onProcessPicture = processPicture.handler(async (input, { signal, progress }) => {
  try {
    return await processUpload(input, { signal, progress });
  } catch (error) {
    // The same bytes will be as unreadable the next time: no more attempts.
    if (error instanceof UnreadablePicture) throw new FailTask(error.message, { cause: error });
    throw error;
  }
});
