// Wipes memory when the program frees it.

#include "wipe_on_free.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

#include <malloc.h>
#include <openssl/crypto.h>
#include <string.h>

namespace {

void wipe_and_free(void* memory) noexcept {
  if (memory == nullptr) return;
  explicit_bzero(memory, malloc_usable_size(memory));
  std::free(memory);
}

// Calls the new handler when memory runs out, which ends the process as for `new`. Callers in
// OpenSSL could only abort.
void* openssl_malloc(std::size_t size, const char* /*file*/, int /*line*/) {
  void* const memory = std::malloc(size);
  if (memory == nullptr && size != 0) {
    if (const std::new_handler handler = std::get_new_handler()) handler();
  }
  return memory;
}

// Growing in place would do, but where it moves, realloc leaves the old copy behind.
void* openssl_realloc(void* memory, std::size_t size, const char* file, int line) {
  void* const moved = openssl_malloc(size, file, line);
  if (moved == nullptr || memory == nullptr) return moved;
  std::memcpy(moved, memory, std::min(size, malloc_usable_size(memory)));
  wipe_and_free(memory);
  return moved;
}

void openssl_free(void* memory, const char* /*file*/, int /*line*/) { wipe_and_free(memory); }

}  // namespace

void wipe_what_openssl_frees() {
  CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free);
}

// The sanitizers have a heap of their own, which checks what is freed how.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
namespace {

// Most of what is freed is small and has a size: words written one by one take less time than it
// takes to ask for the room and to call.
void wipe_and_free(void* memory, std::size_t size) noexcept {
  constexpr std::size_t kSmall = 256;
  if (size > kSmall) return wipe_and_free(memory);
  if (memory == nullptr) return;
  // The allocator hands out whole words.
  auto* const words = static_cast<volatile std::uint64_t*>(memory);
  for (std::size_t i = 0; i * sizeof(std::uint64_t) < size; ++i) words[i] = 0;
  std::free(memory);
}

}  // namespace

void operator delete(void* memory) noexcept { wipe_and_free(memory); }
void operator delete(void* memory, std::size_t size) noexcept { wipe_and_free(memory, size); }
void operator delete(void* memory, std::align_val_t /*alignment*/) noexcept {
  wipe_and_free(memory);
}
void operator delete(void* memory, std::size_t size, std::align_val_t /*alignment*/) noexcept {
  wipe_and_free(memory, size);
}
#endif
