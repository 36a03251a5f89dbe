// The examples at the end of each command's help text.

#include <sstream>
#include <string>

#include "command.hpp"

namespace holdfast::cli {
namespace {

struct Examples {
  const char* command;  ///< the words that lead to it; empty: the program itself
  const char* lines;
};

// One row for each command. A group of commands shows the examples that are used most.
constexpr Examples kExamples[] = {
    {"", R"x(holdfast serve --data-dir ./data             # run the gateway
source ./data/credentials                    # URL and keys for the commands below
holdfast create-user -p 'a good password'    # create the user testUser
eval "$(holdfast auth -p 'a good password')" # log in
holdfast connect-websocket                   # receive until Ctrl-C
holdfast publish USER_ID Hello               # send, in another terminal
holdfast help publish                        # help for one command)x"},

    {"serve", R"x(holdfast serve
holdfast serve --data-dir /var/lib/holdfast --config /etc/holdfast/holdfast.json
holdfast serve --listen 0.0.0.0:8443 --tls-cert cert.pem --tls-key key.pem)x"},
    {"check-config", R"x(holdfast check-config --config /etc/holdfast/holdfast.json
holdfast check-config --schema > holdfast.schema.json)x"},
    {"sample-app", R"x(source ./data/credentials
holdfast sample-app
holdfast sample-app --listen 127.0.0.1:8090)x"},

    {"create-user", R"x(holdfast create-user -u ann -p 'a good password'
holdfast create-user -u ann -p - < password.txt)x"},
    {"auth", R"x(eval "$(holdfast auth -u ann -p 'a good password')"
eval "$(holdfast auth -u ann -p - < password.txt)")x"},
    {"connect-websocket", R"x(eval "$(holdfast auth -u ann -p 'a good password')"
holdfast connect-websocket
holdfast connect-websocket --subprotocol holdfast.v1)x"},
    {"send-message", R"x(holdfast send-message Hello there
holdfast send-message --wait 2 Hello)x"},
    {"publish", R"x(holdfast publish USER_ID Your report is ready
holdfast publish --ttl 3600 USER_ID 'Good for an hour'
holdfast publish --deduplication-id order-17 USER_ID 'Order 17 has shipped'
holdfast publish USER_ID - < message.json)x"},

    {"user", R"x(holdfast user create ann --attribute email=ann@example.com
holdfast user list
holdfast user disable ann)x"},
    {"user list", R"x(holdfast user list
holdfast user list --filter 'username ^= "a"' --limit 20
holdfast user list --json)x"},
    {"user create", R"x(holdfast user create ann
holdfast user create ann --generate --attribute email=ann@example.com
holdfast user create ann --password - --permanent < password.txt)x"},
    {"user show", R"x(holdfast user show ann)x"},
    {"user set-password", R"x(holdfast user set-password ann
holdfast user set-password ann --generate --permanent)x"},
    {"user disable", R"x(holdfast user disable ann)x"},
    {"user enable", R"x(holdfast user enable ann)x"},
    {"user delete", R"x(holdfast user delete ann
holdfast user delete ann --dry-run)x"},
    {"user sign-out", R"x(holdfast user sign-out ann)x"},

    {"status", R"x(holdfast status
holdfast status --data-dir /var/lib/holdfast --json
until holdfast status --ready; do sleep 1; done)x"},
    {"pending", R"x(holdfast pending list
holdfast pending show USER_ID)x"},
    {"pending list", R"x(holdfast pending list
holdfast pending list --limit 1000 --json)x"},
    {"pending show", R"x(holdfast pending show USER_ID
holdfast pending show --after 1769076000000000 USER_ID)x"},
    {"pending delete", R"x(holdfast pending delete USER_ID MESSAGE_ID
holdfast pending delete --all --dry-run USER_ID)x"},
    {"execution", R"x(holdfast execution list --user USER_ID
holdfast execution show MESSAGE_ID)x"},
    {"execution list", R"x(holdfast execution list
holdfast execution list --user USER_ID --limit 10)x"},
    {"execution show", R"x(holdfast execution show MESSAGE_ID)x"},
    {"connections", R"x(holdfast connections list
holdfast connections close CONNECTION_ID)x"},
    {"connections list", R"x(holdfast connections list
holdfast connections list --user USER_ID)x"},
    {"connections show", R"x(holdfast connections show CONNECTION_ID)x"},
    {"connections close", R"x(holdfast connections close CONNECTION_ID)x"},
    {"dead-letters", R"x(holdfast dead-letters list --reason expired
holdfast dead-letters redrive --user USER_ID)x"},
    {"dead-letters list", R"x(holdfast dead-letters list
holdfast dead-letters list --reason expired --limit 1000)x"},
    {"dead-letters redrive", R"x(holdfast dead-letters redrive MESSAGE_ID
holdfast dead-letters redrive --reason expired --ttl 86400)x"},
    {"dead-letters delete", R"x(holdfast dead-letters delete MESSAGE_ID
holdfast dead-letters delete --all --dry-run)x"},
    {"access-key", R"x(holdfast access-key create orders
holdfast access-key list
holdfast access-key disable KEY_ID)x"},
    {"access-key create", R"x(holdfast access-key create orders --rate 100
holdfast access-key create reports --policy policy.json --expires-in 90
eval "$(holdfast access-key create orders)")x"},
    {"access-key list", R"x(holdfast access-key list)x"},
    {"access-key show", R"x(holdfast access-key show KEY_ID)x"},
    {"access-key disable", R"x(holdfast access-key disable KEY_ID)x"},
    {"access-key enable", R"x(holdfast access-key enable KEY_ID)x"},
    {"access-key delete", R"x(holdfast access-key delete KEY_ID
holdfast access-key delete --yes KEY_ID)x"},
    {"access-key policy", R"x(holdfast access-key policy KEY_ID
holdfast access-key policy --set policy.json KEY_ID)x"},
    {"access-key rate", R"x(holdfast access-key rate KEY_ID 50
holdfast access-key rate KEY_ID default)x"},
    {"access-key session", R"x(eval "$(holdfast access-key session --duration 900 KEY_ID)"
holdfast access-key session --policy policy.json --json KEY_ID)x"},
    {"audit", R"x(holdfast audit list --action user.)x"},
    {"audit list", R"x(holdfast audit list
holdfast audit list --actor key:AKIAEXAMPLE --outcome refused
holdfast audit list --since 2026-01-22T10:00:00Z --limit 1000)x"},
    {"console", R"x(holdfast console
holdfast console --hash-password)x"},
    {"rotate-keys", R"x(holdfast rotate-keys)x"},

    {"backup", R"x(holdfast backup --data-dir /var/lib/holdfast /backup/holdfast.db
holdfast backup --force --with-master-key /backup/holdfast.db)x"},
    {"restore", R"x(holdfast restore --data-dir ./data /backup/holdfast.db
holdfast restore --force --master-key-file master.key /backup/holdfast.db)x"},
    {"database", R"x(holdfast database check)x"},
    {"database check", R"x(holdfast database check --data-dir ./data
holdfast database check /backup/holdfast.db)x"},

    {"dev-certs", R"x(holdfast dev-certs ./certs
holdfast dev-certs ./certs gateway.test 192.168.1.5)x"},
    {"demo", R"x(holdfast demo
holdfast demo --once)x"},
    {"completion", R"x(source <(holdfast completion bash)
holdfast completion fish | source)x"},
};

constexpr const char* kExitCodes =
    "\n\nExit codes: 0 success, 1 failure, 2 wrong command line, 130 ended by Ctrl-C.";

std::string indented(const std::string& lines) {
  std::string out;
  std::istringstream text(lines);
  for (std::string line; std::getline(text, line);) out += "\n  " + line;
  return out;
}

}  // namespace

void add_examples(CLI::App& app) {
  for (const Examples& row : kExamples) {
    CLI::App* command = &app;
    std::istringstream words(row.command);
    for (std::string word; words >> word;) command = command->get_subcommand(word);
    const std::string note = command->get_footer();
    command->footer(note + (note.empty() ? "" : "\n\n") + "Examples:" + indented(row.lines) +
                    (command == &app ? kExitCodes : ""));
  }
}

}  // namespace holdfast::cli
