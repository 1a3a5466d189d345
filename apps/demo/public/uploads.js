/** Uploads at once: a browser opens six connections to a server, and the meter and the events need theirs. */
const atOnce = 3;

/** Sends each file in a request of its own, a few at a time, in the mode that the switch has when they are added. */
export function createUploads(gallery) {
  const waiting = [];
  let running = 0;
  let count = 0;

  const sendWaiting = () => {
    while (running < atOnce && waiting.length > 0) {
      running += 1;
      send(waiting.shift()).finally(() => {
        running -= 1;
        sendWaiting();
      });
    }
  };
  const send = async ({ picture, open }) => {
    const { ref, name, mode } = picture;
    try {
      const form = new FormData();
      form.append("ref", ref);
      form.append("picture", await open(), name);
      const response = await fetch(`/api/pictures?mode=${mode}`, { method: "POST", body: form });
      const answer = await response.json();
      if (!answer.pictures) throw new Error(answer.message);
      for (const received of answer.pictures) gallery.update(received);
    } catch (error) {
      const reason = `The upload failed: ${error.message}. Is it a file, and is the server there?`;
      gallery.update({ ...picture, status: "failed", reason });
    }
  };
  return {
    /** @param files - `{ name, size, open }`, where `open` answers a promise of a blob. */
    add(files, mode) {
      const jobs = files.map(({ name, size, open }) => {
        count += 1;
        const ref = `${performance.timeOrigin}-${count}`;
        return { open, picture: { ref, name, bytes: size, mode, status: "uploading", progress: 0, note: "" } };
      });
      gallery.begin(jobs.map(({ picture }) => picture));
      waiting.push(...jobs);
      sendWaiting();
    },
  };
}
