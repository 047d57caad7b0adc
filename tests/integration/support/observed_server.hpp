#pragma once

#include <dwell/admin/admin.hpp>

#include "support/ask_http.hpp"
#include "support/running_server.hpp"

#include <utility>

namespace dwell {

/// An admin on a port of the kernel's choice, unless `options` says where.
inline admin_options on_any_port(admin_options options = {}) {
  if (options.listen == admin_options{}.listen) options.listen.port = 0;
  return options;
}

/// A server that runs, and its admin.
class observed_server : public running_server {
 public:
  explicit observed_server(service_options service, handler what, server_options options = {},
                           admin_options admin = {})
      : running_server{std::move(service), std::move(what), std::move(options)},
        admin_{**this, on_any_port(std::move(admin))} {}

  const endpoint& admin_endpoint() const noexcept { return admin_.endpoint(); }
  http_reply ask(std::string_view what, std::string_view fields = "") const {
    return dwell::ask(admin_.endpoint(), what, fields);
  }

 private:
  admin admin_;
};

}  // namespace dwell
