// A clip from the camera and the microphone; it stays in the browser until it is scored.

const MOST_SECONDS = 60;

// Starts recording; returns what stops it, and gives the file to `done`.
export async function record(preview, done) {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 }, audio: true });
  const kinds = ["video/webm;codecs=vp8,opus", "video/webm", "video/mp4"];
  const mimeType = kinds.find((kind) => MediaRecorder.isTypeSupported(kind));
  const recorder = new MediaRecorder(stream, { mimeType, videoBitsPerSecond: 1_500_000 });
  const pieces = [];
  preview.srcObject = stream;
  preview.hidden = false;
  preview.play().catch(() => {});
  recorder.ondataavailable = (event) => pieces.push(event.data);
  recorder.onstop = () => {
    clearTimeout(limit);
    stream.getTracks().forEach((track) => track.stop());
    preview.srcObject = null;
    preview.hidden = true;
    const type = recorder.mimeType.split(";")[0];
    done(new File(pieces, type.includes("mp4") ? "recording.mp4" : "recording.webm", { type }));
  };
  const limit = setTimeout(() => recorder.state !== "inactive" && recorder.stop(), MOST_SECONDS * 1000);
  recorder.start();
  return () => recorder.state !== "inactive" && recorder.stop();
}
