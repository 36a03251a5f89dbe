// An echo server for third-party WebSocket suites: `websocket_echo [HOST:PORT]`, until it is
// interrupted. With Autobahn's suite: `wstest -m fuzzingclient -s SPEC`, whose server is this one.

#include <cstdio>
#include <exception>

#include <signal.h>

#include "support/net/echo_server.hpp"

int main(int argc, char** argv) {
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGINT);
  sigaddset(&stop, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);
  try {
    const holdfast::test::EchoServer server(argc > 1 ? argv[1] : "127.0.0.1:9001");
    int number = 0;
    sigwait(&stop, &number);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "websocket_echo: %s\n", error.what());
    return 1;
  }
  return 0;
}
