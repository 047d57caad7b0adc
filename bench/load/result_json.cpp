#include "result_json.hpp"

#include <cmath>
#include <concepts>
#include <limits>
#include <utility>

namespace load {
namespace {

using json = nlohmann::ordered_json;

constexpr std::string_view format = "dwell-load 1";

template <class S, class T>
concept is = std::same_as<std::remove_const_t<S>, T>;

// What the fields of each struct are called, for writing and reading alike.

template <class Visit, is<plan> S>
void fields(Visit& visit, S& s) {
  visit("protocol", s.protocol);
  visit("host", s.host);
  visit("port", s.port);
  visit("path", s.path);
  visit("tls", s.tls);
  visit("tls_verify", s.tls_verify);
  visit("source", s.source);
  visit("requests_per_connection", s.requests_per_connection);
  visit("ending", s.ending);
  visit("size", s.size);
  visit("arrival", s.arrival);
  visit("rate", s.rate);
  visit("connections", s.connections);
  visit("threads", s.threads);
  visit("warmup_s", s.warmup);
  visit("duration_s", s.duration);
  visit("timeout_s", s.timeout);
  visit("seed", s.seed);
  visit("server", s.server);
}

template <class Visit, is<cpu_time> S>
void fields(Visit& visit, S& s) {
  visit("user_us", s.user_us);
  visit("system_us", s.system_us);
}

template <class Visit, is<end_sample> S>
void fields(Visit& visit, S& s) {
  visit("states", s.states);
  visit("cpu", s.cpu);
  visit("softirq_us", s.softirq_us);
}

template <class Visit, is<second> S>
void fields(Visit& visit, S& s) {
  visit("at_s", s.at_s);
  visit("warmup", s.warmup);
  visit("due", s.due);
  visit("sent", s.sent);
  visit("answered", s.answered);
  visit("failed", s.failed);
  visit("connected", s.connected);
  visit("p50_us", s.p50_us);
  visit("p99_us", s.p99_us);
  visit("p999_us", s.p999_us);
  visit("max_us", s.max_us);
  visit("connections", s.connections);
  visit("ports_used", s.ports_used);
  visit("client", s.client);
  visit("server", s.server);
  visit("packets_sent", s.packets_sent);
  visit("packets_received", s.packets_received);
  visit("bytes_sent", s.bytes_sent);
  visit("bytes_received", s.bytes_received);
}

template <class Visit, is<latencies> S>
void fields(Visit& visit, S& s) {
  visit("request", s.request);
  visit("naive", s.naive);
  visit("connect", s.connect);
  visit("first_byte", s.first_byte);
  visit("sent_late", s.sent_late);
}

template <class Visit, is<port_use> S>
void fields(Visit& visit, S& s) {
  visit("available", s.available);
  visit("peak", s.peak);
  visit("exhausted_at_s", s.exhausted_at_s);
  visit("predicted_exhaustion_s", s.predicted_exhaustion_s);
}

template <class Visit, is<run_result> S>
void fields(Visit& visit, S& s) {
  visit("plan", s.plan);
  visit("partial", s.partial);
  visit("measured_s", s.measured_s);
  visit("due", s.due);
  visit("sent", s.sent);
  visit("answered", s.answered);
  visit("unsent", s.unsent);
  visit("late", s.late);
  visit("errors", s.errors);
  visit("latencies", s.latencies);
  visit("client_cpu", s.client_cpu);
  visit("server_cpu", s.server_cpu);
  visit("client_busy", s.client_busy);
  visit("ports", s.ports);
  visit("seconds", s.seconds);
  visit("flags", s.flags);
  visit("notes", s.notes);
}

template <class Visit, is<environment> S>
void fields(Visit& visit, S& s) {
  visit("kernel", s.kernel);
  visit("processor", s.processor);
  visit("processors", s.processors);
  visit("version", s.version);
  visit("link", s.link);
  visit("server", s.server);
  visit("client_sysctls", s.client_sysctls);
  visit("server_sysctls", s.server_sysctls);
  visit("client_time_wait_limit", s.client_time_wait_limit);
  visit("server_time_wait_limit", s.server_time_wait_limit);
  visit("descriptors", s.descriptors);
}

template <class Visit, is<column> S>
void fields(Visit& visit, S& s) {
  visit("name", s.name);
  visit("at_rate", s.at_rate);
  visit("search", s.search);
  visit("highest_rate", s.highest_rate);
  visit("time_wait", s.time_wait);
}

template <class Visit, is<report> S>
void fields(Visit& visit, S& s) {
  visit("command", s.command);
  visit("written", s.written);
  visit("partial", s.partial);
  visit("verdict", s.verdict);
  visit("withheld", s.withheld);
  visit("remarks", s.remarks);
  visit("environment", s.environment);
  visit("columns", s.columns);
}

double in_us(nanoseconds value) { return static_cast<double>(value.count()) / 1e3; }

class writer {
 public:
  template <class T>
  void operator()(const char* name, const T& value) {
    to_[name] = encode(value);
  }
  json take() && { return std::move(to_); }

  template <class T>
  static json encode(const T& value) {
    if constexpr (std::is_enum_v<T>) {
      return to_string(value);
    } else if constexpr (requires(writer & w) { fields(w, value); }) {
      writer inner;
      fields(inner, value);
      return std::move(inner).take();
    } else {
      return value;
    }
  }
  static json encode(nanoseconds value) { return static_cast<double>(value.count()) / 1e9; }
  static json encode(const histogram& of) {
    json buckets = json::array();
    of.visit([&](nanoseconds middle, std::uint64_t count) {
      buckets.push_back(json::array({in_us(middle), count}));
    });
    json percentiles = json::array();
    for (const double quantile : {0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 1.0}) {
      percentiles.push_back(json::array({quantile, in_us(of.at(quantile))}));
    }
    return {{"count", of.count()},
            {"min_us", in_us(of.min())},
            {"mean_us", std::round(of.mean_ns() * 1e3) / 1e6},
            {"max_us", in_us(of.max())},
            {"percentiles", percentiles},
            {"buckets", buckets}};
  }
  template <class T>
  static json encode(const std::optional<T>& value) {
    return value ? encode(*value) : json{};
  }
  template <class T>
  static json encode(const std::vector<T>& values) {
    json result = json::array();
    for (const T& value : values) result.push_back(encode(value));
    return result;
  }
  template <class T>
  static json encode(const std::map<std::string, T>& values) {
    json result = json::object();
    for (const auto& [name, value] : values) result[name] = encode(value);
    return result;
  }

 private:
  json to_ = json::object();
};

class reader {
 public:
  reader(const json& from, std::string where) : from_{from}, where_{std::move(where)} {
    if (!from.is_object()) fail("is not an object");
  }

  template <class T>
  void operator()(const char* name, T& value) {
    const std::string path = where_.empty() ? name : where_ + "." + name;
    const auto found = from_.find(name);
    if (found == from_.end()) throw bad_json{path + " is missing"};
    reader::decode(*found, path, value);
  }

  static void decode(const json& from, const std::string& where, std::string& value) {
    if (!from.is_string()) refuse(where, "text", from);
    value = from.get<std::string>();
  }
  static void decode(const json& from, const std::string& where, bool& value) {
    if (!from.is_boolean()) refuse(where, "true or false", from);
    value = from.get<bool>();
  }
  static void decode(const json& from, const std::string& where, double& value) {
    if (!from.is_number()) refuse(where, "a number", from);
    value = from.get<double>();
  }
  template <std::integral T>
  static void decode(const json& from, const std::string& where, T& value) {
    constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<T>::max());
    if (!from.is_number_integer() || from < 0 || from.get<std::uint64_t>() > most) {
      refuse(where, "a whole number from 0 to " + std::to_string(most), from);
    }
    value = static_cast<T>(from.get<std::uint64_t>());
  }
  template <class T>
  requires std::is_enum_v<T>
  static void decode(const json& from, const std::string& where, T& value) {
    if (!from.is_string() || !parse(from.get<std::string>(), value)) {
      refuse(where, "a name that this version knows", from);
    }
  }
  static void decode(const json& from, const std::string& where, nanoseconds& value) {
    double seconds = 0;
    decode(from, where, seconds);
    if (!(seconds >= 0 && seconds < 1e9)) refuse(where, "seconds, 0 or more", from);
    value = nanoseconds{std::llround(seconds * 1e9)};
  }
  static void decode(const json& from, const std::string& where, histogram& value);
  template <class T>
  static void decode(const json& from, const std::string& where, std::optional<T>& value) {
    value.reset();
    if (!from.is_null()) decode(from, where, value.emplace());
  }
  template <class T>
  static void decode(const json& from, const std::string& where, std::vector<T>& values) {
    if (!from.is_array()) refuse(where, "a list", from);
    values.clear();
    for (std::size_t i = 0; i < from.size(); ++i) {
      decode(from[i], where + "[" + std::to_string(i) + "]", values.emplace_back());
    }
  }
  template <class T>
  static void decode(const json& from, const std::string& where, std::map<std::string, T>& values) {
    if (!from.is_object()) refuse(where, "an object", from);
    values.clear();
    for (const auto& [name, value] : from.items()) {
      decode(value, where + "[\"" + name + "\"]", values[name]);
    }
  }
  template <class T>
  requires requires(reader& r, T& value) { fields(r, value); }
  static void decode(const json& from, const std::string& where, T& value) {
    reader inner{from, where};
    fields(inner, value);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw bad_json{(where_.empty() ? "the file" : where_) + " " + what};
  }
  [[noreturn]] static void refuse(const std::string& where, const std::string& wanted,
                                  const json& got) {
    std::string text = got.dump(-1, ' ', false, json::error_handler_t::replace);
    if (text.size() > 60) text = text.substr(0, 57) + "...";
    throw bad_json{where + " is not " + wanted + " but " + text};
  }

  const json& from_;
  std::string where_;
};

void reader::decode(const json& from, const std::string& where, histogram& value) {
  const auto ns = [](double us) {
    return nanoseconds{us >= 0 && us < 9e12 ? std::llround(us * 1e3) : -1};
  };
  reader in{from, where};
  double min = 0, mean = 0, max = 0;
  in("min_us", min);
  in("mean_us", mean);
  in("max_us", max);
  const auto found = from.find("buckets");
  if (found == from.end()) throw bad_json{where + ".buckets is missing"};
  if (!found->is_array()) refuse(where + ".buckets", "a list", *found);
  std::vector<histogram::bucket> buckets;
  for (const json& pair : *found) {
    const std::string place = where + ".buckets[" + std::to_string(buckets.size()) + "]";
    if (!pair.is_array() || pair.size() != 2) refuse(place, "a pair [us, count]", pair);
    double middle = 0;
    std::uint64_t count = 0;
    decode(pair[0], place + "[0]", middle);
    decode(pair[1], place + "[1]", count);
    buckets.push_back({ns(middle), count});
  }
  if (!value.restore(buckets, ns(min), ns(max), mean * 1e3)) {
    throw bad_json{where + ": its buckets, min_us, mean_us and max_us are of no histogram"};
  }
}

template <class T>
T read(const json& from) {
  T value;
  reader::decode(from, "", value);
  return value;
}

}  // namespace

json to_json(const histogram& of) { return writer::encode(of); }
json to_json(const run_result& of) { return writer::encode(of); }
json to_json(const column& of) { return writer::encode(of); }
json to_json(const environment& of) { return writer::encode(of); }
json to_json(const report& of) {
  json result = {{"format", format}};
  result.update(writer::encode(of));
  return result;
}

histogram histogram_from_json(const json& from) { return read<histogram>(from); }
run_result run_from_json(const json& from) { return read<run_result>(from); }
column column_from_json(const json& from) { return read<column>(from); }
environment environment_from_json(const json& from) { return read<environment>(from); }

report report_from_json(const json& from) {
  if (!from.is_object() || from.value("format", json{}) != format) {
    throw bad_json{"not a result of dwell-load: \"format\" is not \"" + std::string{format} + "\""};
  }
  return read<report>(from);
}

report parse_report(std::string_view text) {
  try {
    return report_from_json(json::parse(text));
  } catch (const json::parse_error& failed) {
    throw bad_json{std::string{"not JSON: "} + failed.what()};
  }
}

}  // namespace load
