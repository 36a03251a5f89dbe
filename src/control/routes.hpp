#pragma once

#include "wire.hpp"

/// The control socket's routes; each answers its call once, on the shard that serves it.
namespace holdfast::control {

void show_status(Call call);
void list_pending(Call call);
void show_pending(Call call);
void list_executions(Call call);
void show_execution(Call call);
void list_connections(Call call);
void show_connection(Call call);
void close_connection(Call call);
void delete_pending(Call call);
void list_dead_letters(Call call);
void redrive_dead_letters(Call call);
void delete_dead_letters(Call call);
void list_users(Call call);
void create_user(Call call);
void show_user(Call call);
void change_user(Call call);
void delete_user(Call call);
void sign_user_out(Call call);
void list_access_keys(Call call);
void show_access_key(Call call);
void create_access_key(Call call);
void change_access_key(Call call);
void delete_access_key(Call call);
void create_session(Call call);
void rotate_keys(Call call);
void begin_backup(Call call);
void show_backup(Call call);
void cancel_backup(Call call);
void send_message(Call call);
void create_console_link(Call call);
void list_audit(Call call);

}  // namespace holdfast::control
