// The program's entry point.

#include <holdfast/base/process.hpp>
#include <holdfast/cli/run.hpp>

#include "wipe_on_free.hpp"

int main(int argc, char** argv) {
  holdfast::open_standard_streams();
  holdfast::end_without_memory();
  wipe_what_openssl_frees();
  return holdfast::cli::run(argc, argv);
}
