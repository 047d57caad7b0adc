#include "admin/best_rows.hpp"

#include <algorithm>
#include <utility>

namespace dwell::inline v0 {
namespace {

auto by_place(const connection_query& query) noexcept {
  return [&query](const connection_row& a, const connection_row& b) {
    return query.comes_before(a.at, b.at);
  };
}

}  // namespace

bool best_rows::has_place_for(const position& at) const noexcept {
  return rows_.size() < query_->limit || query_->comes_before(at, rows_.front().at);
}

bool best_rows::offer(const position& at) noexcept {
  if (query_->after && !query_->comes_before(*query_->after, at)) return false;
  ++offered_;
  return has_place_for(at);
}

void best_rows::add(connection_row row) {
  if (rows_.size() == query_->limit) {
    std::ranges::pop_heap(rows_, by_place(*query_));
    rows_.back() = std::move(row);
  } else {
    rows_.push_back(std::move(row));
  }
  std::ranges::push_heap(rows_, by_place(*query_));
}

void best_rows::merge(best_rows&& other) {
  offered_ += other.offered_;
  for (connection_row& each : other.rows_) {
    if (has_place_for(each.at)) add(std::move(each));
  }
}

std::vector<connection_row> best_rows::sorted() && {
  std::ranges::sort_heap(rows_, by_place(*query_));
  return std::move(rows_);
}

}  // namespace dwell::inline v0
