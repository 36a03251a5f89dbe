#pragma once

#include <memory>

#include <holdfast/delivery/message_store.hpp>

#include "queue.hpp"

namespace holdfast::storage {

[[nodiscard]] std::unique_ptr<delivery::MessageStore> make_message_store(OperationQueue& queue,
                                                                         Channel& channel);

}  // namespace holdfast::storage
