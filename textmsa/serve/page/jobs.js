// A long video, analyzed utterance by utterance: begun, followed to its end, fetched. The server goes on when the page is
// closed; the address of the page keeps the job, and opens on it again.

const EVERY = 1000; // ms between two questions

export const SUBTITLES = /-->/; // what tells them from words

// Begins a job; returns its document, or throws with the server's reason.
export async function begin(ask, form, signal) {
  return read(await ask("/v1/analyze", { method: "POST", body: form, signal }));
}

// Follows a job; `told` takes how far it is in words. Returns the timeline.
export async function follow(ask, id, signal, told) {
  for (;;) {
    const job = await read(await ask(`/v1/analyze/${encodeURIComponent(id)}`, { signal }));
    if (job.state === "done") return read(await ask(`/v1/analyze/${encodeURIComponent(id)}/result`, { signal }));
    if (job.state === "failed") throw new Error(job.reason);
    if (job.state === "cancelled") throw new Error("It was cancelled");
    told(inWords(job));
    await new Promise((resolve) => setTimeout(resolve, EVERY));
    signal.throwIfAborted();
  }
}

export const cancel = (ask, id) => ask(`/v1/analyze/${encodeURIComponent(id)}`, { method: "DELETE" });

function inWords({ state, before, step, done, total, seconds_left: left }) {
  if (state === "waiting") return before ? `Waiting; ${before} before it` : "Waiting";
  const far = step === "loading" || !total ? "" : ` ${Math.round((100 * done) / total)} %`;
  return `${step[0].toUpperCase()}${step.slice(1)}${far}${left ? `, about ${Math.ceil(left)} s more` : ""} \u2026`;
}

async function read(answer) {
  const document_ = await answer.json();
  if (!answer.ok) throw new Error(document_.reason);
  return document_;
}
