// Counts the slots of a store's bounded queue.
#include <holdfast/base/assert.hpp>
#include <holdfast/storage/slots.hpp>

namespace holdfast::storage {

std::optional<delivery::Reservation> Slots::reserve(const std::shared_ptr<Slots>& slots,
                                                    std::size_t payload_bytes) {
  const SlotLimits& limits = slots->limits_;
  if (slots->closed_.load(kRelaxed)) return std::nullopt;
  const std::size_t bytes = slots->bytes_.fetch_add(payload_bytes, kRelaxed) + payload_bytes;
  const std::int64_t database_max = slots->database_bytes_max_.load(kRelaxed);
  const auto rows = static_cast<std::int64_t>(slots->taken_.load(kRelaxed) + 1);
  const bool fits =
      bytes <= limits.payload_bytes &&
      limits.copies * static_cast<std::int64_t>(bytes) + limits.row_bytes * rows <=
          slots->room_.load(kRelaxed) &&
      (database_max == 0 ||
       slots->database_bytes_.load(kRelaxed) + static_cast<std::int64_t>(bytes) <= database_max);
  if (!fits || slots->taken_.fetch_add(1, kRelaxed) >= limits.slots) {
    if (fits) slots->taken_.fetch_sub(1, kRelaxed);
    slots->bytes_.fetch_sub(payload_bytes, kRelaxed);
    return std::nullopt;
  }
  return delivery::Reservation([slots, payload_bytes] {
    const std::size_t taken = slots->taken_.fetch_sub(1, kRelaxed);
    const std::size_t reserved = slots->bytes_.fetch_sub(payload_bytes, kRelaxed);
    HOLDFAST_ASSERT(taken > 0 && reserved >= payload_bytes, "slots.are_given_back_once");
  });
}

}  // namespace holdfast::storage
