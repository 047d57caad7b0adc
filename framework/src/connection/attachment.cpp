#include "connection/attachment.hpp"

#include "connection/slot.hpp"

namespace dwell::inline v0 {

attachment::attachment(slot& c) noexcept : peer_{&c}, next_{c.attachments}, link_{&c.attachments} {
  if (next_ != nullptr) next_->link_ = &next_;
  c.attachments = this;
}

attachment::~attachment() {
  *link_ = next_;
  if (next_ != nullptr) next_->link_ = link_;
}

}  // namespace dwell::inline v0
