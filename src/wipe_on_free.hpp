#pragma once

/// Memory is overwritten when it is freed: passwords, tokens and keys go through many strings and
/// buffers on their way, and none of them leaves a copy behind. The C++ heap does so from the
/// start; this makes OpenSSL's do so too, which holds what TLS has decrypted. Before any use of
/// OpenSSL.
void wipe_what_openssl_frees();
