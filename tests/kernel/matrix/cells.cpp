#include "matrix/cells.hpp"

#include <algorithm>
#include <utility>

namespace dwell {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::seconds orphan_limit{2};  // TCP_LINGER2

struct asked_once {
  bool asked = false;
};

void answer(connection& peer, const answering& what) {
  if (what.cell.is_announced()) peer.announced_close();
  peer.send(what.reply);
  if (what.cell.mode == connection_mode::long_lived) {
    peer.close(close_reason::finished, what.cell.form.method);
  }
  ++what.all.answered;
}

void await_signal(connection& peer, const answering& what) {
  if (what.all.may_answer) return answer(peer, what);
  peer.after(1ms, [&what](connection& again) { await_signal(again, what); });
}

}  // namespace

const std::array<close_form, close_form_count>& close_forms() {
  static constexpr std::array<close_form, close_form_count> forms{{
      {.name = "graceful, direct", .method = close_method::graceful},
      {.name = "graceful, lingering", .method = close_method::graceful, .lingering = true},
      {.name = "peer_first", .method = close_method::peer_first},
      {.name = "abort_after_fin, direct", .method = close_method::abort_after_fin},
      {.name = "abort_after_fin, lingering",
       .method = close_method::abort_after_fin,
       .lingering = true},
      {.name = "abort", .method = close_method::abort},
  }};
  return forms;
}

bool matrix_cell::lingers() const {
  return form.lingering || (over == wire::tls && form.method == close_method::graceful);
}

placement matrix_cell::expected() const {
  // With much in flight abort_after_fin waits with its FIN, but close_notify is among the output:
  // who closes on that is first.
  const bool told_early = over == wire::tls && peer.reply > 16 * 1024;
  if (told_early && form.method == close_method::abort_after_fin && !form.lingering) {
    return placement::any;
  }
  const auto& forms = close_forms();
  const auto* const in_effect = std::ranges::find_if(forms, [this](const close_form& each) {
    return each.method == form.method && each.lingering == lingers();
  });
  return peer.expected[static_cast<std::size_t>(in_effect - forms.data())];
}

bool matrix_cell::delivers() const {
  const bool direct = !lingers() && form.method != close_method::peer_first;
  if (form.method == close_method::abort || !peer.reads) return false;
  const bool talks = peer.talks_over || (over == wire::tls && peer.leaves_meanwhile);
  return !(direct && talks);
}

duration matrix_cell::bound() const {
  return peer.close + peer.user_timeout.value_or(0ms) + orphan_limit;
}

service_options options_of(const matrix_cell& cell) {
  const close_method method = cell.form.method;
  const bool brief = cell.mode == connection_mode::short_lived;
  service_options options{.mode = cell.mode, .deadlines = {.close = cell.peer.close}};
  options.socket.user_timeout = cell.peer.user_timeout;
  if (brief) options.close.finished = method;
  if (brief && method == close_method::abort_after_fin) {  // then the listener hands it down
    options.close.idle = options.close.slow = options.close.drain = method;
  } else {
    options.socket.linger2 = orphan_limit;
  }
  return over(cell.over, std::move(options));
}

handler handler_of(answering what) {
  const bool announces = what.cell.is_announced();
  return callbacks<asked_once>{
      .on_data =
          [what](connection& peer, asked_once& self, bytes data) {
            if (!std::exchange(self.asked, true)) {
              ++what.all.asked;
              if (what.cell.peer.on_signal) {
                await_signal(peer, what);
              } else {
                answer(peer, what);
              }
            }
            return what.cell.form.lingering ? data.size() - 1 : data.size();
          },
      .on_peer_closed = [](connection&, asked_once&) {},  // it is answered all the same
      .announces_close = announces};
}

}  // namespace dwell
