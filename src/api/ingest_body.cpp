// Parses and checks the bodies of the ingest routes.

#include "ingest_body.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>

#include <holdfast/base/json.hpp>

namespace holdfast::api {
namespace {

enum class Field : std::uint8_t { other, user_id, message, deduplication_id, ttl_seconds };

struct FieldName {
  std::string_view name;
  Field field;
};
constexpr FieldName kFields[] = {{"userId", Field::user_id},
                                 {"message", Field::message},
                                 {"deduplicationId", Field::deduplication_id},
                                 {"ttlSeconds", Field::ttl_seconds}};

std::string_view name_of(Field field) {
  for (const FieldName& known : kFields) {
    if (known.field == field) return known.name;
  }
  return {};
}

Field field_of(std::string_view name) {
  for (const FieldName& known : kFields) {
    if (known.name == name) return known.field;
  }
  return Field::other;
}

// One entry as the text has it; a field of the wrong type is remembered, not kept.
struct RawEntry {
  std::optional<std::string> user_id;
  std::optional<std::string> message;
  std::optional<std::string> deduplication_id;
  std::optional<std::int64_t> ttl_seconds;
  Field mistyped = Field::other;
  bool is_object = false;
};

// The place of the entries: the value itself, or the elements of its member `messages`.
enum class Shape : std::uint8_t { single, batch };

// Gathers entries at their depth and skips everything else.
class EntryReader final : public JsonHandler {
 public:
  EntryReader(Shape shape, std::size_t entries_max)
      : shape_(shape), entry_depth_(shape == Shape::single ? 1 : 3), entries_max_(entries_max) {}

  std::vector<RawEntry>& entries() { return entries_; }
  bool is_object() const { return is_object_; }
  bool has_list() const { return has_list_; }
  bool list_is_array() const { return list_is_array_; }
  bool too_many() const { return too_many_; }

  // Many serialisers write null for a member that is not there.
  void on_null() override {
    const bool optional = field_ == Field::deduplication_id || field_ == Field::ttl_seconds;
    if (!in_field() || !optional) other_value();
  }
  void on_boolean(bool /*value*/) override { other_value(); }
  void on_number(double /*value*/) override { other_value(); }
  void on_unsigned(std::uint64_t value) override {
    on_integer(static_cast<std::int64_t>(std::min<std::uint64_t>(value, INT64_MAX)));
  }
  void on_integer(std::int64_t value) override {
    if (in_field() && field_ == Field::ttl_seconds) {
      current().ttl_seconds = value;
    } else {
      other_value();
    }
  }
  void on_string(std::string& value) override {
    if (!in_field()) return other_value();
    switch (field_) {
      case Field::user_id:
        current().user_id = std::move(value);
        break;
      case Field::message:
        current().message = std::move(value);
        break;
      case Field::deduplication_id:
        current().deduplication_id = std::move(value);
        break;
      case Field::ttl_seconds:
      case Field::other:
        other_value();
    }
  }
  void on_name(std::string_view name) override {
    if (depth_ == entry_depth_) field_ = field_of(name);
    if (depth_ == 1 && shape_ == Shape::batch) {
      in_list_ = name == "messages";
      has_list_ = has_list_ || in_list_;
    }
  }
  void on_object_begin() override {
    if (starts_entry()) {
      add_entry(EntryKind::object);
    } else {
      other_value();
    }
    if (depth_ == 0) is_object_ = true;
    ++depth_;
  }
  void on_object_end() override { --depth_; }
  void on_array_begin() override {
    if (depth_ == 1 && in_list_) list_is_array_ = true;
    other_value();
    ++depth_;
  }
  void on_array_end() override { --depth_; }

 private:
  bool in_list() const { return shape_ == Shape::single || (in_list_ && list_is_array_); }
  bool starts_entry() const { return depth_ + 1 == entry_depth_ && in_list(); }
  bool in_field() const {
    return depth_ == entry_depth_ && in_list() && !too_many_ && !entries_.empty();
  }
  RawEntry& current() { return entries_.back(); }
  enum class EntryKind : std::uint8_t { object, other };
  void add_entry(EntryKind kind) {
    if (entries_.size() == entries_max_) {
      too_many_ = true;
      return;
    }
    entries_.emplace_back().is_object = kind == EntryKind::object;
  }
  // A value that is no field's: an entry that is no object, or a field of the wrong type.
  void other_value() {
    if (starts_entry()) {
      add_entry(EntryKind::other);
    } else if (in_field() && field_ != Field::other && current().mistyped == Field::other) {
      current().mistyped = field_;
    }
  }

  Shape shape_;
  std::size_t entry_depth_;
  std::size_t entries_max_;
  std::vector<RawEntry> entries_;
  std::size_t depth_ = 0;
  Field field_ = Field::other;
  bool is_object_ = false;
  bool in_list_ = false;
  bool has_list_ = false;
  bool list_is_array_ = false;
  bool too_many_ = false;
};

BodyFault fault(std::string field, std::string message) {
  return {.too_long = false, .field = std::move(field), .message = std::move(message)};
}

delivery::SendRequest to_request(RawEntry&& raw, const SenderQuotaPtr& caller) {
  delivery::SendRequest out;
  if (raw.user_id) out.user = UserId(std::move(*raw.user_id));
  if (raw.message) out.payload = std::move(*raw.message);
  out.deduplication_id = std::move(raw.deduplication_id);
  if (raw.ttl_seconds) out.ttl = Seconds(*raw.ttl_seconds);
  out.caller = caller;
  return out;
}

std::expected<delivery::SendRequest, BodyFault> check_entry(RawEntry&& raw, const Limits& limits,
                                                            const SenderQuotaPtr& caller) {
  if (!raw.is_object) return std::unexpected(fault({}, "must be an object"));
  if (raw.mistyped != Field::other) {
    return std::unexpected(
        fault(std::string(name_of(raw.mistyped)),
              raw.mistyped == Field::ttl_seconds ? "must be an integer" : "must be a string"));
  }
  const bool has_user = raw.user_id.has_value();
  const bool has_message = raw.message.has_value();
  delivery::SendRequest request = to_request(std::move(raw), caller);
  auto found = delivery::check(request, limits.message);
  if (!found) return request;
  const bool absent = (found->field == delivery::SendField::user_id && !has_user) ||
                      (found->field == delivery::SendField::message && !has_message);
  return std::unexpected(BodyFault{.too_long = found->too_long,
                                   .field = std::string(delivery::name_of(found->field)),
                                   .message = absent ? "is required" : std::move(found->rule)});
}

std::optional<BodyFault> read(std::string_view body, const Limits& limits, EntryReader& reader) {
  const JsonLimits json_limits{.depth = 32, .bytes = limits.body_bytes};
  if (auto done = parse_json(body, reader, json_limits); !done) {
    return BodyFault{.too_long = done.error().code == Errc::limit_exceeded,
                     .field = std::move(done.error().where),
                     .message = std::move(done.error().message)};
  }
  if (!reader.is_object()) return fault({}, "must be an object");
  return std::nullopt;
}

}  // namespace

std::expected<delivery::SendRequest, BodyFault> read_message(std::string_view body,
                                                             const Limits& limits,
                                                             const SenderQuotaPtr& caller) {
  EntryReader reader(Shape::single, 1);
  if (auto found = read(body, limits, reader)) return std::unexpected(std::move(*found));
  return check_entry(std::move(reader.entries().front()), limits, caller);
}

std::expected<std::vector<delivery::SendRequest>, BodyFault> read_messages(
    std::string_view body, const Limits& limits, const SenderQuotaPtr& caller) {
  EntryReader reader(Shape::batch, limits.batch_messages);
  if (auto found = read(body, limits, reader)) return std::unexpected(std::move(*found));
  if (!reader.has_list()) return std::unexpected(fault("messages", "is required"));
  if (!reader.list_is_array()) return std::unexpected(fault("messages", "must be an array"));
  if (reader.too_many() || reader.entries().empty()) {
    return std::unexpected(
        fault("messages", "must have 1 to " + std::to_string(limits.batch_messages) + " entries"));
  }
  std::vector<delivery::SendRequest> out;
  out.reserve(reader.entries().size());
  for (RawEntry& raw : reader.entries()) {
    auto entry = check_entry(std::move(raw), limits, caller);
    if (!entry) {
      BodyFault& found = entry.error();
      const std::string place = "messages[" + std::to_string(out.size()) + "]";
      found.field = found.field.empty() ? place : place + "." + found.field;
      return std::unexpected(std::move(found));
    }
    out.push_back(std::move(*entry));
  }
  return out;
}

}  // namespace holdfast::api
