#include "admin/connections_json.hpp"

#include <nlohmann/json.hpp>

namespace dwell::inline v0 {
namespace {

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
  return made;
}

/// Names are the user's, and need not be UTF-8.
std::string text_of(const ordered_json& value) {
  return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace

std::string to_json(const connection_list& list, const connection_query& query) {
  ordered_json next;
  if (list.more) next = cursor_after(query, list.rows.back().at);
  std::string text = "{\"matched\": " + std::to_string(list.matched);
  text += ",\n \"next\": " + text_of(next);
  text += ",\n \"partial\": ";
  text += list.silent_loops.empty() ? "false" : "true";
  text += ",\n \"silent_loops\": " + text_of(list.silent_loops);
  text += ",\n \"connections\": [";
  const char* before = "\n  ";
  for (const connection_row& each : list.rows) {
    text += before + text_of(to_json(each));
    before = ",\n  ";
  }
  return text += "]}\n";
}

}  // namespace dwell::inline v0
