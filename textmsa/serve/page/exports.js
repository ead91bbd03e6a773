// Files to keep: the answer as it came (JSON), the tracks as a table (CSV), the picture (PNG).

import { MODALITIES, colour, el, seconds, signed } from "./dom.js";

export function save(name, blob) {
  const address = URL.createObjectURL(blob);
  el("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

export const json = (prediction) => new Blob([JSON.stringify(prediction, null, 2)], { type: "application/json" });

// A row for each tenth of a second.
export function csv(prediction) {
  const { tracks } = prediction;
  const names = tracks.series.map((series) => series.name);
  const rows = [["time", ...names, "face", "word", "word_change", ...MODALITIES.map(([name]) => `${name}_change`)]];
  for (let i = 0; i < tracks.face.length; i++) {
    const time = (i + 0.5) / tracks.hz;
    const word = tracks.words.find((one) => one.start !== null && one.start <= time && time < one.end);
    const part = prediction.over_time.find((one) => one.start <= time && time < one.end);
    rows.push([
      time.toFixed(2), ...tracks.series.map((series) => series.values[i] ?? ""), Number(tracks.face[i]), word?.text ?? "", word?.change ?? "",
      ...MODALITIES.map(([name]) => part?.change[name] ?? ""),
    ]);
  }
  const text = rows.map((row) => row.map(cell).join(",")).join("\r\n");
  return new Blob(["\uFEFF", text, "\r\n"], { type: "text/csv;charset=utf-8" });
}

// Quoted where it must be; what a spreadsheet would take for a formula is kept from being one.
function cell(value) {
  let text = String(value);
  if (typeof value === "string" && /^[=+@\t\r]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

// Score, what counted, and the tracks, as they stand on the page.
export function png(prediction, tracks) {
  const wide = 1200, left = 150, plots = tracks.plots.filter((entry) => entry.plot);
  const high = 250 + 80 + 70 + plots.reduce((sum, entry) => sum + entry.plot.height + 14, 0);
  const canvas = el("canvas", { width: wide, height: high });
  const pen = canvas.getContext("2d");
  const write = (text, x, y, size = 15, weight = "") => {
    pen.font = `${weight} ${size}px system-ui, sans-serif`;
    pen.fillText(text, x, y);
  };
  pen.fillStyle = colour("--paper");
  pen.fillRect(0, 0, wide, high);
  pen.fillStyle = colour("--ink");
  write(`${signed(prediction.score)} ${prediction.polarity}`, 24, 48, 30, "600");
  const { interval, score_range: [from, to] } = prediction;
  write(interval ? `${Math.round(interval.level * 100)} % interval ${signed(interval.low)} to ${signed(interval.high)}` : "no interval", 24, 74);
  write((prediction.transcript ?? "").slice(0, 140), 24, 102);
  const at = (value) => 480 + ((value - from) / (to - from)) * 680;
  pen.fillStyle = colour("--rail");
  pen.fillRect(480, 38, 680, 8);
  pen.fillStyle = colour("--band");
  if (interval) pen.fillRect(at(interval.low), 34, at(interval.high) - at(interval.low), 16);
  pen.fillStyle = colour("--ink");
  pen.fillRect(at(prediction.score) - 2, 28, 4, 28);
  write(String(from), 480, 74, 13);
  write("0", at(0) - 4, 74, 13);
  write(`+${to}`, 1140, 74, 13);
  const most = Math.max(...Object.values(prediction.contributions).map(Math.abs), 1e-6);
  MODALITIES.forEach(([name, people], i) => {
    const y = 134 + i * 30, value = prediction.contributions[name] ?? 0;
    pen.fillStyle = colour("--ink");
    write(`${people} ${signed(value)}`, 24, y + 14);
    pen.fillStyle = colour(`--${name}`);
    pen.fillRect(value < 0 ? 480 + (value / most) * 300 : 480, y, (Math.abs(value) / most) * 300, 18);
  });
  pen.fillStyle = colour("--faint");
  pen.fillRect(479.5, 130, 1, 88);
  let y = 240;
  const room = wide - left - 24, step = room / Math.max(tracks.tracks.peaks.length, 1);
  const loudest = Math.max(...tracks.tracks.peaks, 1e-6);
  pen.fillStyle = colour("--wave");
  tracks.tracks.peaks.forEach((peak, i) => {
    const tall = Math.max(1, (peak / loudest) * 60);
    pen.fillRect(left + i * step, y + 32 - tall / 2, Math.max(step * 0.7, 0.5), tall);
  });
  pen.fillStyle = colour("--ink");
  write("Sound", 24, y + 36);
  y += 78;
  write("Words", 24, y + 14);
  for (const word of tracks.tracks.words.filter((one) => one.start !== null)) {
    const x = left + tracks.share(word.start) * room;
    pen.fillStyle = colour({ 1: "--raised", "-1": "--lowered", 0: "--rail" }[Math.sign(word.change ?? 0)]);
    pen.fillRect(x, y + 20, Math.max(2, tracks.share(word.end - word.start) * room - 2), 4);
    pen.fillStyle = colour("--ink");
    write(word.text.trim(), x, y + 14, 12);
  }
  y += 36;
  for (const entry of plots) {
    pen.fillStyle = colour("--ink");
    write(entry.place.parentElement.getAttribute("aria-label"), 24, y + entry.plot.height / 2);
    pen.drawImage(entry.plot.ctx.canvas, left, y, room, entry.plot.height);
    y += entry.plot.height + 14;
  }
  const shown = tracks.tracks.series.filter((series) => series.of === "face");
  shown.forEach((series, i) => {
    pen.fillStyle = colour(`--c${(i % 6) + 1}`);
    write(series.name, left + i * 150, y + 12, 13);
  });
  pen.fillStyle = colour("--faint");
  write(`0 to ${seconds(tracks.clock.duration)}`, 24, y + 12, 13);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}
