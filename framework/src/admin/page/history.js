// The last minute, kept here: the server keeps totals.

const historySize = 60;

class History {
  samples = [];

  add(status) {
    const {totals, loops} = status;
    const sum = (counts) => Object.values(counts).reduce((all, each) => all + each, 0);
    const last = this.samples.at(-1);
    if (last && (last.pid !== status.pid || last.at >= status.now_ms)) this.samples = [];
    this.samples.push({
      pid: status.pid,
      at: status.now_ms,
      open: status.connections.open,
      opened: totals.opened,
      closed: sum(totals.closed),
      exchanges: totals.exchanges,
      received: totals.received_bytes,
      sent: totals.sent_bytes,
      handshakes: sum(totals.handshakes),
      busy: loops.busy_ms / loops.count,
      turns: loops.longest_turn_now_ms,
    });
    this.samples.splice(0, this.samples.length - historySize - 1);
  }

  /// What a total grew by each second.
  rates(name) {
    return this.samples.slice(1).map((now, i) => {
      const before = this.samples[i];
      return (1000 * Math.max(0, now[name] - before[name])) / (now.at - before.at);
    });
  }
  values(name) {
    return this.samples.slice(-historySize).map((sample) => sample[name]);
  }
  /// Over the last three looks, so that it can be read.
  rate(name) {
    const last = this.rates(name).slice(-3);
    return last.length ? last.reduce((sum, each) => sum + each, 0) / last.length : 0;
  }
}
