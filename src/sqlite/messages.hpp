#pragma once

#include <memory>

#include <holdfast/delivery/message_store.hpp>

#include "queue.hpp"

namespace holdfast::sqlite {

[[nodiscard]] std::unique_ptr<delivery::MessageStore> make_message_store(OperationQueue& queue,
                                                                         Channel& channel);

}  // namespace holdfast::sqlite
