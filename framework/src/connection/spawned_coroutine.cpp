#include "connection/spawned_coroutine.hpp"

#include "connection/loop.hpp"

#include <cassert>
#include <memory>
#include <utility>

namespace dwell::inline v0 {

spawned_coroutine::spawned_coroutine(slot& c) noexcept : attachment{c}, coroutine{kind::spawned} {
  peer = &c;
}

void spawned_coroutine::start(slot& c, task<> what) {
  auto& made = *new spawned_coroutine{c};
  const holder held{made};
  made.owe(true);
  made.coroutine::start(std::move(what));
}

void spawned_coroutine::let_go() noexcept {
  held_ = false;
  if (!body) delete this;
}

void spawned_coroutine::connection_ended() {
  if (held_) return end();
  const holder held{*this};
  end();
}

void spawned_coroutine::on_writable() {
  const holder held{*this};
  resume_writer(write_operation::until::below_high_watermark);
}

void spawned_coroutine::on_flushed() {
  const holder held{*this};
  resume_writer(write_operation::until::flushed);
}

void connection::spawn(task<> body) {
  slot& c = as_slot(*this);
  if (c.is_released()) return;
  assert(c.service->host->active() == &c &&
         "dwell: spawn() is called from the connection's own callback");
  spawned_coroutine::start(c, std::move(body));
}

}  // namespace dwell::inline v0
