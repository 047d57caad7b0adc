#pragma once

#include <dwell/dwell.hpp>

#include "support/eventually.hpp"

#include <cstddef>
#include <mutex>
#include <vector>

namespace dwell {

/// The close records of a service, for any thread to look at. Outlives the server it listens to.
class close_log {
 public:
  /// `options`, reporting here.
  service_options listening(service_options options) {
    options.on_close = [this](const connection&, const close_record& record) {
      const std::lock_guard lock{mutex_};
      records_.push_back(record);
    };
    return options;
  }

  std::vector<close_record> all() const {
    const std::lock_guard lock{mutex_};
    return records_;
  }
  std::size_t size() const {
    const std::lock_guard lock{mutex_};
    return records_.size();
  }
  bool wait_for(std::size_t count, std::chrono::milliseconds within = patience) const {
    return eventually([&] { return size() >= count; }, within);
  }
  /// The only one; waits for it. A default record, and a failure, when there is none or more.
  close_record only() const;

 private:
  mutable std::mutex mutex_;
  std::vector<close_record> records_;
};

}  // namespace dwell
