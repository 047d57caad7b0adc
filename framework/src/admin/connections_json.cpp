#include "admin/connections_json.hpp"

#include "admin/json_text.hpp"

namespace dwell::inline v0 {

using nlohmann::ordered_json;

ordered_json to_json(const connection_row& row) {
  const connection_facts& of = row.facts;
  ordered_json made;
  made["id"] = to_string(of.id);
  made["service"] = of.service;
  made["peer"] = row.peer;
  made["state"] = to_string(of.state);
  made["phase"] = to_string(of.phase);
  made["reason"] = of.reason ? ordered_json(to_string(*of.reason)) : ordered_json();
  made["age_ms"] = of.age.count();
  made["idle_ms"] = of.idle.count();
  made["deadline_ms"] = of.time_left ? ordered_json(of.time_left->count()) : ordered_json();
  made["received_bytes"] = of.received;
  made["sent_bytes"] = of.sent;
  made["queued_bytes"] = of.queued;
  made["exchanges"] = of.exchanges;
  made["tls"] = of.tls.empty() ? ordered_json() : ordered_json(of.tls);
  return made;
}

std::string to_json(const connection_list& list, const connection_query& query) {
  ordered_json next;
  if (list.more) next = cursor_after(query, list.rows.back().at);
  std::string text = "{\"matched\": " + std::to_string(list.matched);
  text += ",\n \"next\": " + json_text(next);
  text += ",\n \"partial\": ";
  text += list.silent_loops.empty() ? "false" : "true";
  text += ",\n \"silent_loops\": " + json_text(list.silent_loops);
  text += ",\n \"connections\": [";
  const char* before = "\n  ";
  for (const connection_row& each : list.rows) {
    text += before + json_text(to_json(each));
    before = ",\n  ";
  }
  return text += "]}\n";
}

}  // namespace dwell::inline v0
