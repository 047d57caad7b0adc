// Figures and times as people read them.

const format = {
  count: (value) => value.toLocaleString("en", {maximumFractionDigits: 0}),

  /// Three figures are enough for what moves: 0.4, 12, 1,234, 45.6 k, 1.2 M
  short(value) {
    if (value >= 1e6) return `${(value / 1e6).toFixed(value >= 1e8 ? 0 : 1)} M`;
    if (value >= 1e5) return `${(value / 1e3).toFixed(0)} k`;
    if (value >= 10 || Number.isInteger(value)) return format.count(Math.round(value));
    return value.toFixed(1);
  },

  bytes(value) {
    const units = ["B", "KB", "MB", "GB", "TB", "PB"];
    let unit = 0;
    while (value >= 1000 && unit < units.length - 1) {
      value /= 1000;
      ++unit;
    }
    return `${value >= 100 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
  },

  /// 12 ms, 3.4 s, 2 min 05 s, 3 h 20 min, 4 d 2 h
  time(ms) {
    if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
    if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
    const seconds = Math.round(ms / 1000);
    const pair = (big, one, small, other) =>
      `${big} ${one} ${String(small).padStart(2, "0")} ${other}`;
    if (seconds < 60) return `${seconds} s`;
    if (seconds < 3600) return pair(Math.floor(seconds / 60), "min", seconds % 60, "s");
    const minutes = Math.round(seconds / 60);
    if (minutes < 1440) return pair(Math.floor(minutes / 60), "h", minutes % 60, "min");
    return pair(Math.floor(minutes / 1440), "d", Math.floor((minutes % 1440) / 60), "h");
  },

  /// The bound of a histogram: 500 ms, 2 s, 5 min, 1 h
  bound(ms) {
    if (ms < 1000) return `${ms} ms`;
    if (ms < 60_000) return `${ms / 1000} s`;
    return ms < 3_600_000 ? `${ms / 60_000} min` : `${ms / 3_600_000} h`;
  },

  percent: (part, whole) => (whole > 0 ? `${((100 * part) / whole).toFixed(part / whole < 0.1 ? 1 : 0)} %` : "–"),
  words: (name) => name.replaceAll("_", " "),
};
