#include "narrators.hpp"

#include <nlohmann/json.hpp>

#include <ostream>

namespace {

using json = nlohmann::ordered_json;

json of(const std::optional<dwell::tcp_socket>& socket) {
  if (!socket) return nullptr;
  return {{"state", to_string(socket->state)},
          {"timer", to_string(socket->timer)},
          {"remaining_ms", socket->remaining.count()},
          {"inode", socket->inode},
          {"orphan", socket->is_orphan()},
          {"queued", socket->receive_queue}};
}

json of(const std::vector<transition>& happened) {
  json all = json::array();
  for (const transition& one : happened) all.push_back({{"from", one.from}, {"to", one.to}});
  return all;
}

json of(dwell::tcp_state state, bool moved, const reading& read, bool traced) {
  return {{"state", to_string(state)},
          {"moved", moved},
          {"tcp_info", read.tcp_info ? json(to_string(*read.tcp_info)) : json()},
          {"sock_diag", of(read.sock_diag)},
          {"tracepoint", traced ? of(read.tracepoint) : json()}};
}

json of(const step* done, server_kind server) {
  if (done == nullptr) return nullptr;
  return {{"who", to_string(done->who)},
          {"calls", done->does ? json(to_string(*done->does, done->who, server)) : json()},
          {done->does ? "sends" : "receives", done->flags}};
}

class json_narrator : public narrator {
 public:
  json_narrator(std::ostream& out, const telling& how, bool traced)
      : out_{out}, how_{how}, traced_{traced} {}

  void begins(const scene&, std::size_t number) override { scene_ = number; }

  void reached(const scene& what, const station& where) override {
    if (how_.only && where.client != how_.only && where.server != how_.only) return;
    const json line{
        {"scene", scene_},
        {"title", what.title},
        {"station", where.number},
        {"step", of(where.done, what.server)},
        {"client_endpoint", to_string(where.client_endpoint)},
        {"server_endpoint", to_string(where.server_endpoint)},
        {"client", of(where.client, where.client_moved, where.client_reading, traced_)},
        {"server", of(where.server, where.server_moved, where.server_reading, traced_)}};
    out_ << line.dump() << std::endl;
  }

  void ends(const scene&) override {}

 private:
  std::ostream& out_;
  telling how_;
  bool traced_;
  std::size_t scene_ = 0;
};

}  // namespace

std::unique_ptr<narrator> tell_as_json(std::ostream& out, const telling& how,
                                       const std::string& missing) {
  return std::make_unique<json_narrator>(out, how, missing.empty());
}
