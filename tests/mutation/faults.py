"""One-line faults of delivery and sqlite, each of which a test must notice.

A fault is a name, the file, the text that is there (once) and the text that takes its place. Where the code changes,
its fault changes with it: a text that is not found is reported as an error.
"""

DELIVERY = "src/delivery/"
SQLITE = "src/sqlite/"

# (what breaks, file, text, text in its place)
FAULTS = [
    (
        "a mailbox goes while calls are under way",
        DELIVERY + "mailbox.cpp",
        "log_.is_tail_empty() && gate_.is_empty() &&",
        "log_.is_tail_empty() &&",
    ),
    (
        "what a lost connection had is not stored",
        DELIVERY + "mailbox.cpp",
        "  has_lost_cursor_ = true;\n",
        "",
    ),
    (
        "a change during the answers is forgotten",
        DELIVERY + "shard_context.cpp",
        "left == InTurn::changed ? changed(*mailbox) : destroy_if_idle(mailbox);",
        "static_cast<void>(left), destroy_if_idle(mailbox);",
    ),
    (
        "each acknowledgement of a message is told",
        DELIVERY + "mailbox_runs.cpp",
        "if (sent > log_.settled() || has_failed) shard_.events",
        "shard_.events",
    ),
    (
        "an acknowledgement of a rejected message is told",
        DELIVERY + "cursor.cpp",
        "if (newest.sequence == sequence) newest.rejected = 1;",
        "(void)newest;",
    ),
    (
        "a commit behind its acknowledgement is told",
        DELIVERY + "event_hub.cpp",
        "if (state == State::stored && before == State::storing) listener",
        "if (state == State::stored) listener",
    ),
    (
        "the messages of an earlier part of a sweep are not named",
        DELIVERY.replace("src", "include/holdfast") + "message_store.hpp",
        "    each.insert(each.end(), more.each.begin(), more.each.end());\n",
        "    each = more.each;\n",
    ),
    (
        "tail drops what is handed, not committed",
        DELIVERY + "message_log.hpp",
        "return sequence <= std::max(stored_, settled_);",
        "return sequence <= std::max(handed_, settled_);",
    ),
    (
        "page read expires above its own position only",
        DELIVERY + "mailbox_pages.cpp",
        "query.expire_above = furthest_position();",
        "query.expire_above = cursor.position();",
    ),
    (
        "mark is the floor at completion",
        DELIVERY + "mailbox_pages.cpp",
        "const ArrivedPage arrived{.mark = mark, .page = *result};",
        "const ArrivedPage arrived{.mark = std::max(mark, log_.floor()), .page = *result};",
    ),
    (
        "delete goes up to stored",
        DELIVERY + "mailbox_purges.cpp",
        "      user_, range->above, range->up_to,\n",
        "      user_, range->above, std::max(range->up_to, log_.floor()),\n",
    ),
    (
        "a delete takes what was passed over",
        DELIVERY + "mailbox_purges.cpp",
        "kept.rest_of(range);",
        "std::vector<SequenceRange>{range};",
    ),
    (
        "what was passed over is forgotten when it could not be moved",
        DELIVERY + "mailbox_purges.cpp",
        "    if (moved->messages == 0) rows->ranges.remove(range);\n",
        "    rows->ranges.remove(range);\n",
    ),
    (
        "what was passed over is sent to another connection",
        DELIVERY + "mailbox_pages.cpp",
        "is_past || was_passed_over(message->sequence)",
        "is_past",
    ),
    (
        "a page read does not tell what it passes over",
        SQLITE + "message_table.cpp",
        "      } else {\n        page.pass_over(sequence);\n      }\n",
        "      }\n",
    ),
    (
        "an unconfirmed delete is forgotten",
        DELIVERY + "mailbox_purges.cpp",
        "    log_.erase_failed(up_to);\n"
        "    retry_later();\n",
        "    log_.erased(up_to);\n",
    ),
    (
        "latest: next goes on from its own position",
        DELIVERY + "mailbox.cpp",
        "if (Cursor* const next = newest_open()) next->move_to(log_.settled());",
        "(void)newest_open();",
    ),
    (
        "handing over does not hand over all before",
        DELIVERY + "mailbox_runs.cpp",
        "if (run.machine.state() == State::awaiting_ack) drive(run, Event::overtaken);",
        "",
    ),
    (
        "idle although a retry waits",
        DELIVERY + "mailbox.cpp",
        "!deletion_under_way() && !in_retry_list && deletes_handed();",
        "!deletion_under_way() && deletes_handed();",
    ),
    (
        "one fence more than allowed",
        DELIVERY + "cursor.cpp",
        "if (fences() >= shard_.limits.fences ||",
        "if (fences() > shard_.limits.fences ||",
    ),
    (
        "what found all fences in flight gets none later",
        DELIVERY + "cursor.cpp",
        "  if (unfenced_) mark_dirty();\n"
        "",
        "",
    ),
    (
        "a Pong's own fence alone is done",
        DELIVERY + "fence_window.cpp",
        "for (std::size_t done = 0; done <= i; ++done) fences_.pop_front();",
        "fences_.erase(i);",
    ),
    (
        "nonce is not compared",
        DELIVERY + "fence_window.cpp",
        ".view() != pong) continue;",
        ".view().substr(0, 24) != pong.substr(0, std::min<std::size_t>(24, pong.size()))) continue;",
    ),
    (
        "ack of what is not fully written is taken",
        DELIVERY + "cursor.cpp",
        "if (sequence > sent_ || !written) {",
        "if (sequence > sent_ || (false && !written)) {",
    ),
    (
        "a connection begins at stored",
        DELIVERY + "mailbox.cpp",
        "cursor.begin_at(log_.settled());",
        "cursor.begin_at(std::max(log_.settled(), log_.floor()));",
    ),
    (
        "ceiling is not held",
        DELIVERY + "sequence_counter.hpp",
        "if (candidate > ceiling_) return std::nullopt;",
        "",
    ),
    (
        "ceiling counts before its commit",
        DELIVERY + "sequence_counter.hpp",
        "if (committed && ceiling > ceiling_)",
        "if ((committed || true) && ceiling > ceiling_)",
    ),
    (
        "dedup window not frozen while clocks disagree",
        DELIVERY + "deduplication.cpp",
        "if (frozen || now - hit->second.committed_at < window_) {",
        "if ((frozen && false) || now - hit->second.committed_at < window_) {",
    ),
    (
        "page reads expire while clocks disagree",
        DELIVERY + "mailbox_pages.cpp",
        "  if (shard_.may_expire()) {\n"
        "    query.expire_above",
        "  {\n"
        "    query.expire_above",
    ),
    (
        "page read beside a sweep",
        DELIVERY + "row_access.hpp",
        "return !reading_ && !purging_ && !read_waits_;",
        "return !reading_ && !read_waits_;",
    ),
    (
        "sweep expires from 0, not from settled",
        DELIVERY + "mailbox_purges.cpp",
        "shard_.store.expire(user_, log_.settled(), log_.floor(),",
        "shard_.store.expire(user_, 0, log_.floor(),",
    ),
    (
        "purge from 0, not from settled",
        DELIVERY + "mailbox_purges.cpp",
        "purge({.above = log_.settled(), .up_to = up_to}, reason,",
        "purge({.above = 0, .up_to = up_to}, reason,",
    ),
    (
        "deletion moves what a connection was sent",
        DELIVERY + "mailbox_purges.cpp",
        "const Sequence above = std::max({current->above, log_.settled(), furthest_position()});",
        "const Sequence above = std::max({current->above, log_.settled()});",
    ),
    (
        "purge although somebody is connected",
        DELIVERY + "mailbox_purges.cpp",
        "if (!cursors_.empty() || !row_access_.can_purge()) return false;",
        "if (!row_access_.can_purge()) return false;",
    ),
    (
        "shutdown does not wait for deletes to be handed",
        DELIVERY + "shard_sweeps.cpp",
        "  if (!handed) {\n"
        "    if (!over) return;\n"
        "    for (const auto& [user, mailbox] : mailboxes_) mailbox->hand_deletes();\n"
        "  }\n",
        "  (void)handed;\n",
    ),
    (
        "early out of the delete ignores inserts in flight",
        DELIVERY + "mailbox_purges.cpp",
        "if (rows_.messages == 0 && !runs_.is_inserting()) return log_.skip_erase();",
        "if (rows_.messages == 0) return log_.skip_erase();",
    ),
    (
        "a page is sent to who no longer receives",
        DELIVERY + "mailbox_pages.cpp",
        "if (cursor != nullptr && shard_.sends() && receives(*cursor)) {",
        "if (cursor != nullptr && shard_.sends()) {",
    ),
    (
        "the expiry sweep never starts from the first user again",
        DELIVERY + "shard_sweeps.cpp",
        "expired_after_ = page ? std::move(page->next) : std::nullopt;",
        "if (page && page->next) expired_after_ = std::move(page->next);",
    ),
    (
        "credit in bytes is not looked at",
        DELIVERY + "cursor.cpp",
        "return unacked_messages() < shard_.limits.credit_messages &&\n"
        "         unacked_bytes() < shard_.limits.credit_bytes;",
        "return unacked_messages() < shard_.limits.credit_messages;",
    ),
    (
        "v1: Pongs settle too",
        DELIVERY + "cursor.cpp",
        "if (protocol_->proof() == Proof::fence) mailbox_->acknowledge(*this, fence->sequence);",
        "mailbox_->acknowledge(*this, fence->sequence);",
    ),
    (
        "purge is not given up when the user is back",
        DELIVERY + "shard_mailboxes.cpp",
        "if (!queued_purges_.empty() && queued_purges_.erase(user) > 0) {",
        "if (false) {",
    ),
    (
        "key's in-flight count leaks when the queue is full",
        DELIVERY + "shard_mailboxes.cpp",
        "if (caller) give_back(*caller, payload_bytes);\n"
        '    return fail(Errc::unavailable, "The store is busy or full");',
        'return fail(Errc::unavailable, "The store is busy or full");',
    ),
    (
        "failed message vouched for by anybody",
        DELIVERY + "mailbox_runs.cpp",
        "if (run.machine.state() == State::failed && cursor.is_unacked(run.sequence())) {",
        "if (run.machine.state() == State::failed && (cursor.is_unacked(run.sequence()) || true)) {",
    ),
    (
        "retry forgets reads",
        DELIVERY + "mailbox.cpp",
        "  row_access_.retry();\n",
        "",
    ),
    (
        "window is dropped with unacked messages in it",
        DELIVERY + "cursor.cpp",
        "if (unacked_messages() == 0 && posted_bytes_waiting() == 0 && !one_by_one()) window_.reset();",
        "if (posted_bytes_waiting() == 0 && !one_by_one()) window_.reset();",
    ),
    (
        "restored dedup records start their window anew",
        DELIVERY + "shard_mailboxes.cpp",
        "shard_.deduplication.restore(record, shard_.boot_now() - age);",
        "shard_.deduplication.restore(record, shard_.boot_now());",
    ),
    (
        "batch: a 503 of the commit for the first, later ones stored alone",
        DELIVERY + "shard_mailboxes.cpp",
        "if (!accepted && is_transient(accepted.error())) failure = accepted.error();",
        "if (!accepted && is_transient(accepted.error()) && accepted.error().code == Errc::limit_exceeded) failure = accepted.error();",
    ),
    (
        "redrive by record leaves the dead letter",
        DELIVERY + "mailbox_runs.cpp",
        "if (run.redrive) dead_letter = run.message->id;",
        "",
    ),
    (
        "last look of a slow link is not compared (closes early)",
        DELIVERY + "cursor.cpp",
        "if (!compared) return false;  // the first look only learns where the peer stands",
        "(void)compared;",
    ),
    (
        "inserts run again after a rollback",
        SQLITE + "messages.cpp",
        "      : Operation(OnRollback::fail), inserts_(std::move(inserts)), done_(std::move(done)) {",
        "      : Operation(OnRollback::retry), inserts_(std::move(inserts)), done_(std::move(done)) {",
    ),
    (
        "a sweep is run again like a delete",
        SQLITE + "messages.cpp",
        "  ExpireOperation(UserId user, Sequence above, Sequence up_to, WallTime now,\n"
        "                  Completion<Result<Moved>> done)\n"
        "      : Operation(OnRollback::fail, Load::sweep),",
        "  ExpireOperation(UserId user, Sequence above, Sequence up_to, WallTime now,\n"
        "                  Completion<Result<Moved>> done)\n"
        "      : Operation(OnRollback::retry, Load::sweep),",
    ),
    (
        "any I/O error of COMMIT counts as not committed",
        SQLITE + "store_thread.cpp",
        "return (code & 0xff) == SQLITE_FULL || code == SQLITE_IOERR_WRITE;",
        "return !is_sync_failure(code);",
    ),
    (
        "synchronous=NORMAL",
        SQLITE + "data_file.cpp",
        "PRAGMA synchronous = FULL;",
        "PRAGMA synchronous = NORMAL;",
    ),
    (
        "page.end stays true when the page is full",
        SQLITE + "message_table.cpp",
        "    if (is_full && !page.messages.empty()) {\n"
        "      page.end = false;",
        "    if (is_full && !page.messages.empty()) {",
    ),
    (
        "expire_above is inclusive",
        SQLITE + "message_table.cpp",
        "if (query.expire_above && sequence > *query.expire_above &&",
        "if (query.expire_above && sequence >= *query.expire_above &&",
    ),
    (
        "next_expiry takes the latest",
        SQLITE + "pending_table.hpp",
        "if (expires_at < change.next_expiry) change.next_expiry = expires_at;",
        "change.next_expiry = expires_at;",
    ),
    (
        "dedup record of an old key stays",
        SQLITE + "deduplication_table.cpp",
        '"INSERT OR REPLACE INTO deduplication"',
        '"INSERT OR IGNORE INTO deduplication"',
    ),
    (
        "counters start at the clock alone",
        SQLITE + "store.cpp",
        "state.counter_start = std::max(tables.meta.ceiling(), unix_micros(clock.wall_now()));",
        "state.counter_start = unix_micros(clock.wall_now());",
    ),
    (
        "first ceiling is not committed",
        SQLITE + "store.cpp",
        "  tables.meta.raise_ceiling(state.ceiling);\n"
        "",
        "",
    ),
    (
        "reservation bytes leak on refusal",
        "src/storage/slots.cpp",
        "    slots->bytes_.fetch_sub(payload_bytes, kRelaxed);\n"
        "    return std::nullopt;",
        "    return std::nullopt;",
    ),
    (
        "expired of a page read's earlier parts is not counted",
        SQLITE + "messages.cpp",
        "    result_->expired = std::move(expired_);\n"
        "",
        "",
    ),
    (
        "expired token admits",
        SQLITE + "tokens.cpp",
        "return now <= expires_at + drift;",
        "return now <= expires_at + drift || true;",
    ),
    (
        "token is read, not deleted",
        SQLITE + "tokens.cpp",
        '"DELETE FROM temp_keys WHERE token_hash = ?1 RETURNING ttl"',
        '"SELECT ttl FROM temp_keys WHERE token_hash = ?1"',
    ),
    (
        "the failed sync of a checkpoint is passed over",
        SQLITE + "store_thread.cpp",
        'if (is_sync_failure(code)) die("the sync of a checkpoint failed");',
        "",
    ),
    (
        "pending changes of a rolled back batch stay",
        SQLITE + "tables.hpp",
        "    pending.discard();\n"
        "",
        "",
    ),
    (
        "dead letter totals of a rolled back batch stay",
        SQLITE + "tables.hpp",
        "    dead_letters.discard();\n"
        "",
        "",
    ),
    (
        "evicts at most one dead letter a commit",
        SQLITE + "dead_letter_table.cpp",
        "  while (beyond_bounds(totals) && budget.left()) {",
        "  if (beyond_bounds(totals)) {",
    ),
    (
        "what is too much goes with others' commits alone",
        SQLITE + "store_thread.cpp",
        "return tables_->dead_letters.over() && now >= next_eviction_ && !stopping_;",
        "return false;",
    ),
    (
        "sweeps add to too many dead letters",
        SQLITE + "store_thread.cpp",
        "    if (sweeps && tables_->dead_letters.over() && !is_eviction_stuck() && !stopping_) continue;\n",
        "",
    ),
    (
        "a transaction's budget has no end",
        SQLITE + "work_budget.hpp",
        "    left_ -= weight;\n",
        "",
    ),
    (
        "a start by any clock is believed",
        DELIVERY + "clock_agreement.hpp",
        "    agree_ = proven_;",
        "    proven_ = agree_ = true;",
    ),
    (
        "lifetimes stay when the clock was wrong",
        DELIVERY + "shard_context.cpp",
        "    accepted_wrong.push_back(wrong);",
        "    (void)wrong;",
    ),
    (
        "a purge is forgotten with the process",
        SQLITE + "users.cpp",
        '          tables.pending_purges.add(sub, "user_deleted");\n',
        "",
    ),
    (
        "open does not move the log into the file",
        SQLITE + "data_file.cpp",
        "  if (move()) return {};\n"
        "  if (database.is_full()",
        "  if (true) return {};\n"
        "  if (database.is_full()",
    ),
    (
        "prepare_restored keeps temporary tokens",
        SQLITE + "restored.cpp",
        "BEGIN IMMEDIATE; DELETE FROM connections; DELETE FROM temp_keys;",
        "BEGIN IMMEDIATE; DELETE FROM connections;",
    ),
    (
        "prepare_restored keeps the old ceiling",
        SQLITE + "restored.cpp",
        'raise("ceiling", rules_.ceiling);',
        "",
    ),
    (
        "redrive insert leaves the dead letter",
        SQLITE + "messages.cpp",
        "      if (insert.redrive) static_cast<void>(tables.dead_letters.remove(insert.message->id));\n"
        "",
        "",
    ),
    (
        "a message is stored though an earlier one of its user was left out",
        SQLITE + "store_thread.cpp",
        "if (other != nullptr && *other == *user) left_out_[i] = true;",
        "(void)other;",
    ),
    (
        "an acknowledgement does not end a row of attempts",
        DELIVERY + "failed_attempts.cpp",
        "  if (sequence >= found->second.last) users_.erase(found);\n",
        "  (void)sequence;\n",
    ),
    (
        "a message is given up although others were under way",
        DELIVERY + "mailbox_undeliverable.cpp",
        "if (attempts.count < shard_.limits.poison_attempts || !end.alone) return false;",
        "if (attempts.count < shard_.limits.poison_attempts) return false;",
    ),
    (
        "1009 counts at once, whatever the client took before",
        DELIVERY + "mailbox_undeliverable.cpp",
        "end.bytes > shard_.longest_taken.of(user_);",
        "end.bytes > 0;",
    ),
    (
        "what a connection took is forgotten with it",
        DELIVERY + "mailbox.cpp",
        "  shard_.longest_taken.raise(user_, cursor.longest_taken());\n",
        "",
    ),
    (
        "1009 counts at once although another one is open",
        DELIVERY + "mailbox_undeliverable.cpp",
        "if (too_big && cursors_.size() == 1) return true;",
        "if (too_big) return true;",
    ),
    (
        "devices that overlap are each other's excuse",
        DELIVERY + "mailbox_undeliverable.cpp",
        "  return cursor.serial() < attempts.next_serial ||\n",
        "  return attempts.count > 0 ||\n",
    ),
    (
        "who connects during a last chance is sent the message",
        DELIVERY + "mailbox.cpp",
        "if (!has_it_last(cursor, *chance)) return false;",
        "(void)chance;",
    ),
    (
        "a last chance has no end",
        DELIVERY + "mailbox_undeliverable.cpp",
        "if (!is_taken && goes_on && shard_.steady_now() < chance->until) return retry_later();",
        "if (!is_taken && goes_on) return retry_later();",
    ),
    (
        "a lost network counts as an attempt",
        DELIVERY + "mailbox_undeliverable.cpp",
        "if (!at || (again && !at->by_client && !at->heard)) {",
        "if (!at || (again && at->bytes == 0)) {",
    ),
    (
        "the text is not in a row's checksum",
        SQLITE + "checksum.cpp",
        "return static_cast<std::int64_t>(add_bytes(sum, row.payload));",
        "return static_cast<std::int64_t>(sum);",
    ),
    (
        "a ballast of any size is taken for whole",
        SQLITE + "room.cpp",
        "is_there_ = S_ISREG(found.st_mode) && found.st_size == bytes_;",
        "is_there_ = S_ISREG(found.st_mode);",
    ),
    (
        "deletes do not get the ballast's room",
        SQLITE + "store_thread.cpp",
        "const bool has_room = let_go_of_ballast();",
        "const bool has_room = false;",
    ),
    (
        "messages take the last room of the disk",
        SQLITE + "store_thread.cpp",
        "std::int64_t room = std::max<std::int64_t>(left - plan_.free_min, 0);",
        "std::int64_t room = std::max<std::int64_t>(left, 0);",
    ),
    (
        "a damaged page fails all of its commit",
        SQLITE + "store_thread.cpp",
        "    failure = commit_in_parts(batch, mode, culprit, std::move(*failure));\n",
        "    (void)culprit;\n"
        "    left_out_.assign(batch.size(), true);\n",
    ),
]
